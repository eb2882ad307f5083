import { useSyncExternalStore } from "react";

/** The sign-in: a token, kept for the session of this tab only. */

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

/** Keeps the token, or forgets it with `null`. */
export function writeToken(token: string | null): void {
  memory = token;
  asked = null;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Storage may be blocked: the token then lives as long as the page.
  }
  tell();
}

/** Asks the person to sign in, with the reason that the server gave; `null` takes the question back. */
export function askToSignIn(reason: string | null): void {
  if (asked === reason) return;
  asked = reason;
  tell();
}

/** Tells of every change of token or question. */
export function onSessionChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Why the person has to sign in, or `null`. */
export function useSignInReason(): string | null {
  return useSyncExternalStore(onSessionChange, () => asked);
}

export function useIsSignedIn(): boolean {
  return useSyncExternalStore(onSessionChange, () => readToken() !== null);
}

function tell(): void {
  for (const listener of listeners) listener();
}
