import { useEffect, useRef, useState } from "react";
import { signIn } from "@/api/accounts";
import type { Session } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field } from "@/ui/Field";
import { PasswordInput } from "@/ui/PasswordInput";
import { UserName } from "@/ui/UserName";
import { SignInError } from "./SignInError";
import { useAttempt } from "./useAttempt";

/** Signs in with a name and a password. */
export function PasswordForm({ onDone }: { onDone: (session: Session) => void }) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const attempt = useAttempt({
    signIn: () => signIn(username.trim(), password),
    onDone,
    onError: () => fieldOf(form.current, "password")?.select(),
  });
  useEffect(() => fieldOf(form.current, "username")?.focus(), []);
  return (
    <form ref={form} onSubmit={attempt.submit} className="flex flex-col gap-4">
      <UserName value={username} onChange={setUsername} />
      <Field label="Password">
        {(ids) => (
          <PasswordInput
            {...ids}
            name="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
      </Field>
      <SignInError
        error={attempt.error}
        wait={attempt.wait}
        refused="The user name or the password is wrong. If you forgot the password, ask an administrator for a new link."
      />
      <Button type="submit" look="solid" className="h-9" disabled={attempt.pending || attempt.wait > 0}>
        {attempt.pending ? "Signing in" : "Sign in"}
      </Button>
    </form>
  );
}

function fieldOf(form: HTMLFormElement | null, name: string): HTMLInputElement | null {
  const field = form?.elements.namedItem(name);
  return field instanceof HTMLInputElement ? field : null;
}
