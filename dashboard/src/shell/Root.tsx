import { Outlet, useLocation, useMatches, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { useSessionQuery } from "@/api/access";
import { useSignInReason } from "@/api/session";
import { SIGN_IN_PATH, signInHref } from "@/api/signInLink";
import { Shell } from "./Shell";

/** The frame of the page. The sign-in page has none. */
export function Root() {
  useSignInRedirect();
  // The address changes before the view does. The old view needs its frame until the new view replaces it.
  const isSignIn = useMatches({ select: (matches) => matches.at(-1)?.pathname === SIGN_IN_PATH });
  return isSignIn ? <Outlet /> : <Shell />;
}

/** Goes to the sign-in page when the server needs credentials. After signing in, that page returns to this address. */
function useSignInRedirect(): void {
  const { history } = useRouter();
  const isElsewhere = useLocation({ select: ({ pathname }) => pathname !== SIGN_IN_PATH });
  const reason = useSignInReason();
  const session = useSessionQuery().data;
  const isRefused = session !== undefined && !session.authenticated && session.sign_in.required;
  const isDue = isElsewhere && (reason !== null || isRefused);
  useEffect(() => {
    if (isDue) history.replace(signInHref(history.location.href));
  }, [isDue, history]);
}
