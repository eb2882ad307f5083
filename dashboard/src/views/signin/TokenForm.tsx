import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { getSession } from "@/api/access";
import { ApiError } from "@/api/client";
import { writeToken } from "@/api/session";
import type { Session } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field } from "@/ui/Field";
import { PasswordInput } from "@/ui/PasswordInput";
import { SignInError } from "./SignInError";

/** Signs in with an access token, for this tab. */
export function TokenForm({ onDone }: { onDone: (session: Session) => void }) {
  const [token, setToken] = useState("");
  const attempt = useMutation({ mutationFn: () => tokenSession(token.trim()), onSuccess: onDone });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    attempt.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Access token" hint="Stored in this tab until you close the tab">
        {(ids) => (
          <PasswordInput
            {...ids}
            name="token"
            autoComplete="off"
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        )}
      </Field>
      <SignInError
        error={attempt.error}
        wait={0}
        refused="The server does not accept this token. It may be mistyped, expired or revoked."
      />
      <Button type="submit" className="h-9" disabled={attempt.isPending}>
        Sign in with the token
      </Button>
    </form>
  );
}

/** Keeps the token if the server accepts it. */
async function tokenSession(token: string): Promise<Session> {
  writeToken(token);
  const session = await getSession().catch((error: unknown) => {
    writeToken(null);
    throw error;
  });
  if (session.authenticated) return session;
  writeToken(null);
  throw new ApiError(401, "Unauthorized", "the token is not valid");
}
