import { api } from "./client";
import { askToSignIn, writeToken } from "./session";

/** The start of the fragment of a sign-in link. Browsers do not send fragments to servers and proxies. */
const PREFIX = "#sign-in=";

/** Exchanges the code of a sign-in link for a token, and removes it from the address bar. */
export async function signInByLink(): Promise<void> {
  const { hash, pathname, search } = window.location;
  if (!hash.startsWith(PREFIX)) return;
  window.history.replaceState(null, "", pathname + search);
  const { data, error } = await api.POST("/api/sign-in", { body: { code: hash.slice(PREFIX.length) } });
  if (data) writeToken(data.token);
  else askToSignIn(error?.detail ?? "The sign-in link does not work. Enter a token.");
}
