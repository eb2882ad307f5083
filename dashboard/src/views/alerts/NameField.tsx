import { Field } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

interface NameFieldProps {
  value: string;
  /** An example of a name. */
  example: string;
  /** Whether the item exists. The name of an existing item cannot be changed. */
  kept: boolean;
  onChange: (name: string) => void;
  error: string | undefined;
}

/** A field for the name of an item, which cannot be changed after the item was created. */
export function NameField({ value, example, kept, onChange, error }: NameFieldProps) {
  return (
    <Field
      label="Name"
      hint={kept ? "The name cannot be changed." : `Short and unique, for example ${example}`}
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
