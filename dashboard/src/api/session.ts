import { useSyncExternalStore } from "react";

/** The access token, in the session storage of this tab. */

const KEY = "sentistream.token";
const listeners = new Set<() => void>();
let memory: string | null = null;
let asked: string | null = null;

export function readToken(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory;
  }
}

/** Stores the token, or removes it with `null`. */
export function writeToken(token: string | null): void {
  memory = token;
  asked = null;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Storage may be blocked. The token is then lost when the page closes.
  }
  notify();
}

/** Requests the sign-in page, which shows the server's reason. `null` withdraws the request. */
export function askToSignIn(reason: string | null): void {
  if (asked === reason) return;
  asked = reason;
  notify();
}

/** Calls the listener whenever the token or the sign-in request changes. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The reason of the requested sign-in, or `null`. */
export function signInReason(): string | null {
  return asked;
}

export function useSignInReason(): string | null {
  return useSyncExternalStore(onSessionChange, signInReason);
}

function notify(): void {
  for (const listener of listeners) listener();
}
