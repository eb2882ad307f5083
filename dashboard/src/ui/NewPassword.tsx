import { Field, fieldError } from "./Field";
import { PasswordInput } from "./PasswordInput";

/** The shortest password that the server accepts, in characters. */
const MIN_LENGTH = 12;

interface NewPasswordProps {
  label: string;
  value: string;
  /** The name of the field in errors of the server. */
  field: string;
  error: unknown;
  onChange: (value: string) => void;
}

/** A field for a new password. Password managers offer to generate one. */
export function NewPassword({ label, value, field, error, onChange }: NewPasswordProps) {
  return (
    <Field
      label={label}
      hint={`At least ${MIN_LENGTH} characters. Four unrelated words are easy to remember.`}
      error={fieldError(error, field)}
    >
      {(ids) => (
        <PasswordInput
          {...ids}
          name={field}
          autoComplete="new-password"
          value={value}
          required
          minLength={MIN_LENGTH}
          maxLength={256}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
