import { asSentence } from "@/api/problemText";

const PROVIDER_ERRORS: Readonly<Record<string, string>> = {
  unavailable: "The sign-in service does not answer. Try again in a minute.",
  misconfigured:
    "Sign-in with this service is not set up correctly. Ask an administrator to run “sentistream doctor”.",
  denied: "The sign-in service refused the request, or you cancelled it.",
  expired: "This sign-in took too long or was opened twice. Start again.",
  rejected:
    "The answer of the sign-in service could not be verified. Start again; if it happens again, ask an administrator.",
  no_role: "Your account has no access to SentiStream. Ask an administrator to add you to a group.",
  email: "Your e-mail address is not verified, or its domain is not allowed. Ask an administrator.",
  disabled: "Your account is disabled. Ask an administrator.",
};

/** Why a sign-in with a provider failed, or `null` if none did. */
export function providerError(code: unknown): string | null {
  if (typeof code !== "string" || code === "") return null;
  return PROVIDER_ERRORS[code] ?? "Sign-in failed. Try again.";
}

/** Why the page asks to sign in: the session has ended, or the token was refused. `null` on a first visit. */
export function reasonText(reason: string | null, token: string | null): string | null {
  if (reason === null) return null;
  if (reason.includes("session has ended")) return "Your session has ended. Sign in again.";
  return token === null ? null : asSentence(reason);
}
