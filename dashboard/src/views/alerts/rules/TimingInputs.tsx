import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import type { InputsProps } from "./RuleEditor";
import { asksFor } from "./ruleDraft";

/** How much is looked at, how often, and for how long it must hold. */
export function TimingInputs({ draft, onChange, error }: InputsProps) {
  const span = (
    label: string,
    key: "window" | "baselineWindow" | "interval" | "pendingFor" | "keepFiringFor",
    field: string,
    hint: string,
  ) => (
    <Field label={label} hint={hint} error={fieldError(error, field)}>
      {(ids) => (
        <input
          {...ids}
          value={draft[key]}
          onChange={(event) => onChange({ [key]: event.target.value })}
          className={`${inputClass} tabular`}
          required={key !== "baselineWindow"}
        />
      )}
    </Field>
  );
  return (
    <div className="grid grid-cols-2 gap-3">
      {span("Window", "window", "window", "Posts of the last 5min, 1h, …")}
      <Field label="Least posts" hint="Fewer say nothing" error={fieldError(error, "min_posts")}>
        {(ids) => (
          <input
            {...ids}
            type="number"
            min={1}
            value={draft.minPosts}
            onChange={(event) => onChange({ minPosts: event.target.value })}
            className={`${inputClass} tabular`}
            required
          />
        )}
      </Field>
      {asksFor(draft.kind).baselineWindow &&
        span("Compared with", "baselineWindow", "baseline_window", "So long before; empty: 12 windows")}
      {span("Fires after", "pendingFor", "for", "It must hold for so long; 0s: at once")}
      {span("Over after", "keepFiringFor", "keep_firing_for", "It must not hold for so long")}
      {span("Looks every", "interval", "interval", "")}
    </div>
  );
}
