import { Field, fieldError } from "./Field";
import { inputClass } from "./Input";

interface NewUserNameProps {
  value: string;
  error: unknown;
  onChange: (value: string) => void;
}

/** A field for the name of one's own new account. */
export function NewUserName({ value, error, onChange }: NewUserNameProps) {
  return (
    <Field label="User name" error={fieldError(error, "name")}>
      {(ids) => (
        <input
          {...ids}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          maxLength={100}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={inputClass}
        />
      )}
    </Field>
  );
}
