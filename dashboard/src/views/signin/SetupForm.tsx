import { useState } from "react";
import { createFirstAccount } from "@/api/accounts";
import type { Session } from "@/api/types";
import { Button } from "@/ui/Button";
import { NewPassword } from "@/ui/NewPassword";
import { MAX_USER_NAME, UserName } from "@/ui/UserName";
import { FormFrame } from "./FormFrame";
import { SignInError } from "./SignInError";
import { useAttempt } from "./useAttempt";

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
  const attempt = useAttempt({
    signIn: () => createFirstAccount({ code, name: name.trim(), password }),
    onDone,
  });
  return (
    <>
      <FormFrame
        title="Create your account"
        text="You are the first person on this server and become its administrator. You can invite others afterwards."
        onSubmit={attempt.submit}
      >
        <UserName value={name} maxLength={MAX_USER_NAME} error={attempt.error} onChange={setName} />
        <NewPassword
          label="Password"
          value={password}
          field="password"
          error={attempt.error}
          onChange={setPassword}
        />
        <SignInError
          error={attempt.error}
          wait={attempt.wait}
          fields={["name", "password"]}
          refused="This link was used or has expired. Print a new one on the server with “sentistream sign-in”."
        />
        <Button type="submit" look="solid" className="h-9" disabled={attempt.pending || attempt.wait > 0}>
          Create account
        </Button>
      </FormFrame>
      <Button look="plain" onClick={onToken}>
        Continue without an account
      </Button>
    </>
  );
}
