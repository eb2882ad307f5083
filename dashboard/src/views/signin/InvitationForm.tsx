import { useState } from "react";
import { acceptInvitation } from "@/api/accounts";
import type { SignInLink } from "@/api/signInLink";
import type { Session } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { NewPassword } from "@/ui/NewPassword";
import { FormFrame } from "./FormFrame";
import { SignInError } from "./SignInError";
import { useAttempt } from "./useAttempt";

interface InvitationFormProps {
  link: SignInLink;
  onDone: (session: Session) => void;
  /** Goes to the other ways to sign in. */
  onLeave: () => void;
}

/** Chooses the password of an invited person, and signs in. */
export function InvitationForm({ link, onDone, onLeave }: InvitationFormProps) {
  const [password, setPassword] = useState("");
  const attempt = useAttempt({
    signIn: () => acceptInvitation(link.code, password),
    onDone,
  });
  return (
    <>
      <FormFrame
        title="Choose your password"
        text="You were invited to SentiStream. This link works once."
        onSubmit={attempt.submit}
      >
        {link.name && (
          <Field label="User name">
            {(ids) => (
              <input
                {...ids}
                name="username"
                autoComplete="username"
                readOnly
                value={link.name}
                className={inputClass}
              />
            )}
          </Field>
        )}
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
          fields={["password"]}
          refused="This invitation was used or has expired. Ask an administrator for a new one."
        />
        <Button type="submit" look="solid" className="h-9" disabled={attempt.pending || attempt.wait > 0}>
          Save and sign in
        </Button>
      </FormFrame>
      <Button look="plain" onClick={onLeave}>
        I have a password
      </Button>
    </>
  );
}
