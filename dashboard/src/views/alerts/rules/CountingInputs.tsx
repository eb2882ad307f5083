import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import type { Draft, InputsProps } from "./ruleDraft";

const DISTINCT = [
  { value: "", label: "Every post (default)" },
  { value: "posts", label: "Every post" },
  { value: "texts", label: "Each text once" },
  { value: "authors", label: "Each author once" },
] as const satisfies readonly { value: Draft["distinct"]; label: string }[];

const NO_DATA = [
  { value: "", label: "Resolve (default)" },
  { value: "resolve", label: "Resolve" },
  { value: "keep", label: "Keep the current state" },
  { value: "alert", label: "Alert" },
] as const satisfies readonly { value: Draft["noData"]; label: string }[];

/** The kinds that have no value in a window without posts. */
const WITHOUT_VALUE: ReadonlySet<Draft["kind"]> = new Set(["share", "ratio", "shift"]);
const NO_EFFECT = "Has no effect on this metric";

/** What a rule counts, and what it does without posts. */
export function CountingInputs({ draft, onChange, error }: InputsProps) {
  const { kind, direction } = draft;
  const ignoresAuthors = kind === "absence" || (kind === "volume" && direction === "below");
  return (
    <div className="grid grid-cols-2 gap-3">
      <Field label="Count" error={fieldError(error, "distinct")}>
        {(ids) => (
          <SelectInput
            {...ids}
            value={draft.distinct}
            options={shown(DISTINCT, draft.distinct)}
            onChange={(distinct) => onChange({ distinct })}
          />
        )}
      </Field>
      <Field
        label="Minimum authors"
        hint={ignoresAuthors ? NO_EFFECT : "Default: 1"}
        error={fieldError(error, "min_authors")}
      >
        {(ids) => (
          <input
            {...ids}
            type="number"
            min={1}
            value={draft.minAuthors}
            onChange={(event) => onChange({ minAuthors: event.target.value })}
            className={`${inputClass} tabular`}
          />
        )}
      </Field>
      <Field
        label="If there are no posts"
        hint={WITHOUT_VALUE.has(kind) ? undefined : NO_EFFECT}
        error={fieldError(error, "no_data")}
      >
        {(ids) => (
          <SelectInput
            {...ids}
            value={draft.noData}
            options={shown(NO_DATA, draft.noData)}
            onChange={(noData) => onChange({ noData })}
          />
        )}
      </Field>
    </div>
  );
}

/** The options. The second one means the same as the default, so it is shown only if it is chosen. */
function shown<T extends string>(options: readonly { value: T; label: string }[], chosen: T) {
  return options.filter((_, index) => index !== 1 || options[1]?.value === chosen);
}
