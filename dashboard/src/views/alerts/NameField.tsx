import { Field } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

interface NameFieldProps {
  value: string;
  /** What a good name looks like. */
  example: string;
  /** Whether it was given before, and so stays. */
  kept: boolean;
  onChange: (name: string) => void;
  error: string | undefined;
}

/** The name that routes refer to. */
export function NameField({ value, example, kept, onChange, error }: NameFieldProps) {
  return (
    <Field
      label="Name"
      hint={kept ? "A name is kept for good: routes refer to it." : `Short and unique, as ${example}`}
      error={error}
    >
      {(ids) => (
        <input
          {...ids}
          value={value}
          maxLength={100}
          disabled={kept}
          onChange={(event) => onChange(event.target.value)}
          className={inputClass}
          required
        />
      )}
    </Field>
  );
}
