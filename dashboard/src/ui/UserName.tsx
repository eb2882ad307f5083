import { Field, fieldError } from "./Field";
import { inputClass } from "./Input";

interface UserNameProps {
  value: string;
  /** The maximum length of a new name, in characters. */
  maxLength?: number;
  error?: unknown;
  onChange: (value: string) => void;
}

/** A field for the user's own name. Password managers can fill it, and phones do not correct it. */
export function UserName({ value, maxLength, error, onChange }: UserNameProps) {
  return (
    <Field label="User name" error={fieldError(error, "name")}>
      {(ids) => (
        <input
          {...ids}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          autoCorrect="off"
          spellCheck={false}
          required
          maxLength={maxLength}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={inputClass}
        />
      )}
    </Field>
  );
}

/** The maximum length that the server accepts for the name of a new account. */
export const MAX_USER_NAME = 100;
