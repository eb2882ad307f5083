import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { createFirstAccount } from "@/api/accounts";
import type { Session } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { NewPassword } from "@/ui/NewPassword";
import { FormFrame } from "./FormFrame";
import { SignInError } from "./SignInError";
import { useWait } from "./useWait";

interface SetupFormProps {
  code: string;
  onDone: (session: Session) => void;
  /** Signs in with a token, without an account. */
  onToken: () => void;
}

/** Creates the first account, with the code of a sign-in link. */
export function SetupForm({ code, onDone, onToken }: SetupFormProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const attempt = useMutation({
    mutationFn: () => createFirstAccount({ code, name: name.trim(), password }),
    onSuccess: onDone,
  });
  const wait = useWait(attempt.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wait === 0) attempt.mutate();
  };
  return (
    <>
      <FormFrame
        title="Create your account"
        text="You are the first person on this server and become its administrator. You can invite others afterwards."
        onSubmit={submit}
      >
        <Field label="User name" error={fieldError(attempt.error, "name")}>
          {(ids) => (
            <input
              {...ids}
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              maxLength={100}
              value={name}
              onChange={(event) => setName(event.target.value)}
              className={inputClass}
            />
          )}
        </Field>
        <NewPassword
          label="Password"
          value={password}
          field="password"
          error={attempt.error}
          onChange={setPassword}
        />
        <SignInError
          error={attempt.error}
          wait={wait}
          refused="This link was used or has expired. Print a new one on the server with “sentistream sign-in”."
        />
        <Button type="submit" look="solid" className="h-9" disabled={attempt.isPending || wait > 0}>
          Create account
        </Button>
      </FormFrame>
      <Button look="plain" onClick={onToken}>
        Continue without an account
      </Button>
    </>
  );
}
