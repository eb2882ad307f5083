import { DurationField } from "@/ui/DurationField";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { asksFor, type InputsProps } from "./ruleDraft";

/** The window of a rule and the delay of its alert. */
export function TimingInputs({ draft, onChange, error }: InputsProps) {
  return (
    <>
      <DurationField
        label="Window"
        value={draft.window}
        presets={["5min", "15min", "1h", "6h", "1d"]}
        onChange={(window) => onChange({ window })}
        error={fieldError(error, "window")}
      />
      {draft.kind !== "absence" && (
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
      )}
      <DurationField
        label="Wait before alerting"
        hint="How long the condition must hold"
        value={draft.pendingFor}
        presets={["0s", "1min", "5min", "15min"]}
        onChange={(pendingFor) => onChange({ pendingFor })}
        error={fieldError(error, "for")}
      />
    </>
  );
}

/** The timing settings for which most rules use the defaults. */
export function AdvancedTimingInputs({ draft, onChange, error }: InputsProps) {
  return (
    <>
      {asksFor(draft.kind).baselineWindow && (
        <DurationField
          label="Compared with"
          hint="Length of the period before the window. Default: 12 windows, at most 1 day"
          value={draft.baselineWindow}
          presets={["1h", "6h", "1d"]}
          optional
          onChange={(baselineWindow) => onChange({ baselineWindow })}
          error={fieldError(error, "baseline_window")}
        />
      )}
      <DurationField
        label="Wait before resolving"
        hint="How long the condition must stay clear"
        value={draft.keepFiringFor}
        presets={["0s", "5min", "15min", "1h"]}
        onChange={(keepFiringFor) => onChange({ keepFiringFor })}
        error={fieldError(error, "keep_firing_for")}
      />
      <DurationField
        label="Check every"
        value={draft.interval}
        presets={["30s", "1min", "5min"]}
        onChange={(interval) => onChange({ interval })}
        error={fieldError(error, "interval")}
      />
      <DurationField
        label="Delay"
        hint="Each window ends this long before the check, so that late posts are counted. Default: measured per source"
        value={draft.delay}
        presets={["0s", "5min", "30min"]}
        optional
        onChange={(delay) => onChange({ delay })}
        error={fieldError(error, "delay")}
      />
    </>
  );
}
