import { spaced } from "@/lib/format";
import { cx } from "./cx";
import { Field } from "./Field";
import { inputClass } from "./Input";

interface DurationFieldProps {
  label: string;
  hint?: string;
  error: string | undefined;
  value: string;
  /** Durations to choose with one click, in the format of the API: "5min". "0s" is shown as "None". */
  presets: readonly string[];
  optional?: boolean;
  onChange: (value: string) => void;
}

/** A field for a duration, with presets and a text field for other values. */
export function DurationField({
  label,
  hint,
  error,
  value,
  presets,
  optional,
  onChange,
}: DurationFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <div className="flex flex-wrap items-center gap-1.5">
          <input
            {...ids}
            value={value}
            maxLength={200}
            onChange={(event) => onChange(event.target.value)}
            className={cx(inputClass, "tabular max-w-20")}
            required={!optional}
          />
          {presets.map((preset) => (
            <button
              key={preset}
              type="button"
              aria-label={`${label}: ${nameOf(preset)}`}
              aria-pressed={preset === value}
              onClick={() => onChange(preset)}
              className="h-8 rounded-md border border-border px-2 text-xs whitespace-nowrap text-quiet transition-colors duration-150 hover:text-text aria-pressed:border-strong aria-pressed:bg-raised aria-pressed:text-text pointer-coarse:h-11"
            >
              {nameOf(preset)}
            </button>
          ))}
        </div>
      )}
    </Field>
  );
}

/** "5min" → "5 min". */
function nameOf(duration: string): string {
  return duration === "0s" ? "None" : spaced(duration);
}
