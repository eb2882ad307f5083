import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { asksFor, type InputsProps } from "./ruleDraft";

/** The window and the timing of a rule. */
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
      {span("Window", "window", "window", "For example 5min or 1h")}
      <Field label="Minimum posts" hint="Don't alert below this" error={fieldError(error, "min_posts")}>
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
        span(
          "Compared with",
          "baselineWindow",
          "baseline_window",
          "Length of the period before. Empty: 12 windows",
        )}
      {span("Wait before alerting", "pendingFor", "for", "The condition must hold this long")}
      {span(
        "Wait before resolving",
        "keepFiringFor",
        "keep_firing_for",
        "The condition must be clear this long",
      )}
      {span("Check every", "interval", "interval", "")}
    </div>
  );
}
