/** The code of a link that was opened: a sign-in link of the server, or the invitation of a person. */
export interface SignInLink {
  kind: "sign-in" | "invitation";
  code: string;
  /** The name of the invited person, if the link has it. */
  name: string;
}

let opened: SignInLink | null = null;

/** The link with which the page was opened, until it is used. */
export function openedLink(): SignInLink | null {
  return opened;
}

export function forgetLink(): void {
  opened = null;
}

/**
 * Takes the code of a link out of the address bar, and goes to the sign-in page. Codes are in the fragment, which
 * browsers do not send to servers and proxies.
 */
export function takeLink(): void {
  const { hash, pathname, search } = window.location;
  opened = linkOf(hash);
  if (!opened) return;
  const back = pathname === SIGN_IN_PATH ? "/" : pathname + search;
  window.history.replaceState(null, "", signInHref(back));
}

/** The link in a fragment, or `null` if the fragment has no code. */
export function linkOf(hash: string): SignInLink | null {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  for (const kind of ["sign-in", "invitation"] as const) {
    const code = params.get(kind);
    if (code) return { kind, code, name: params.get("name") ?? "" };
  }
  return null;
}

export const SIGN_IN_PATH = "/sign-in";

/** The address of the sign-in page, which returns to `back`. */
export function signInHref(back: string): string {
  return back === "/" ? SIGN_IN_PATH : `${SIGN_IN_PATH}?return=${encodeURIComponent(back)}`;
}

/** The path to return to after signing in. Addresses of other sites are refused. */
export function safeReturn(text: unknown): string {
  if (typeof text !== "string" || !/^\/(?![/\\])/.test(text) || text.startsWith(SIGN_IN_PATH)) return "/";
  return URL.canParse(text, window.location.origin) &&
    new URL(text, window.location.origin).origin === window.location.origin
    ? text
    : "/";
}
