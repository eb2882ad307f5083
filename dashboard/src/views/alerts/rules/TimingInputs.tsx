import { DurationField } from "@/ui/DurationField";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { asksFor, type Draft, type InputsProps } from "./ruleDraft";

/** The window of a rule and the delay of its alert. */
export function TimingInputs({ draft, onChange, error }: InputsProps) {
  return (
    <>
      <DurationField
        label="Window"
        hint={windowHint(draft)}
        value={draft.window}
        presets={["5min", "15min", "1h", "6h", "1d"]}
        onChange={(window) => onChange({ window })}
        error={fieldError(error, "window")}
      />
      {draft.kind !== "absence" && (
        <Field label="Minimum posts" hint={minPostsHint(draft.kind)} error={fieldError(error, "min_posts")}>
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

/** The limits of the window. Rules that read single posts have shorter windows than rules that use counts. */
function windowHint({ kind, scopeKind, distinct, minAuthors }: Draft): string {
  if (kind === "spike") return "In whole minutes, up to 3 h";
  const readsPosts = scopeKind === "author" || scopeKind === "text";
  const comparesPosts = distinct === "texts" || distinct === "authors" || Number(minAuthors) > 1;
  return readsPosts || comparesPosts ? "In whole minutes, up to 6 h" : "In whole minutes, up to 1 d";
}

/** Which posts the minimum applies to. */
function minPostsHint(kind: Draft["kind"]): string {
  switch (kind) {
    case "volume":
      return "Has no effect on this metric";
    case "spike":
      return "Don't alert with fewer counted posts in the window";
    case "shift":
      return "Don't alert with fewer posts in the window or in the period before it";
    default:
      return "Don't alert with fewer posts in the window";
  }
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
        hint="How long the condition must no longer hold"
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
