import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import type { Session } from "@/api/types";
import { useWait } from "./useWait";

interface AttemptOptions {
  signIn: () => Promise<Session>;
  onDone: (session: Session) => void;
  onError?: () => void;
}

/** The submission of a form that signs in. It does nothing while the server refuses further attempts. */
export function useAttempt({ signIn, onDone, onError }: AttemptOptions) {
  const attempt = useMutation({
    mutationFn: signIn,
    onSuccess: onDone,
    ...(onError && { onError }),
  });
  const wait = useWait(attempt.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (wait === 0) attempt.mutate();
  };
  return { submit, wait, error: attempt.error, pending: attempt.isPending };
}
