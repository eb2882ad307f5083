import { useSourcesQuery, useTopicsQuery } from "@/api/queries";
import type { RuleDraft } from "@/api/types";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import type { InputsProps, ScopeKind } from "./ruleDraft";

const SCOPES = [
  { value: "all", label: "All sources" },
  { value: "source", label: "One source" },
  { value: "author", label: "One author" },
  { value: "topic", label: "One topic" },
  { value: "text", label: "Posts with certain words" },
] as const satisfies readonly { value: ScopeKind; label: string }[];

const NAMES: Record<Exclude<ScopeKind, "all">, string> = {
  source: "Source",
  author: "Author",
  topic: "Topic",
  text: "Words",
};

const GROUPS = [
  { value: "none", label: "All sources combined" },
  { value: "source", label: "Each source separately" },
  { value: "source_and_total", label: "Each source and all combined" },
] as const satisfies readonly { value: RuleDraft["group_by"]; label: string }[];

/** The scope of a rule. */
export function ScopeInputs({ draft, onChange, error }: InputsProps) {
  const sources = useSourcesQuery().data ?? [];
  const topics = useTopicsQuery().data ?? [];
  const { scopeKind } = draft;
  const known = scopeKind === "topic" ? topics.map(({ name }) => name) : sources.map(({ source }) => source);
  return (
    <div className="grid grid-cols-1 gap-3 min-[430px]:grid-cols-2">
      <Field label="Scope" error={scopeKind === "all" ? fieldError(error, "scope") : undefined}>
        {(ids) => (
          <SelectInput
            {...ids}
            value={scopeKind}
            options={SCOPES}
            onChange={(kind) => onChange({ scopeKind: kind, scopeName: "" })}
          />
        )}
      </Field>
      {scopeKind !== "all" && (
        <Field label={NAMES[scopeKind]} error={fieldError(error, "scope")}>
          {(ids) => (
            <>
              <input
                {...ids}
                {...(scopeKind === "source" || scopeKind === "topic" ? { list: "known-names" } : {})}
                value={draft.scopeName}
                onChange={(event) => onChange({ scopeName: event.target.value })}
                className={inputClass}
                required
              />
              <datalist id="known-names">
                {known.map((name) => (
                  <option key={name} value={name} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      )}
      {scopeKind !== "source" && (
        <Field label="Evaluate" error={fieldError(error, "group_by")}>
          {(ids) => (
            <SelectInput
              {...ids}
              value={draft.groupBy}
              options={GROUPS}
              onChange={(groupBy) => onChange({ groupBy })}
            />
          )}
        </Field>
      )}
    </div>
  );
}
