import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useLocation, useRouter } from "@tanstack/react-router";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { sessionQuery } from "@/api/access";
import { keys } from "@/api/keys";
import { askToSignIn, readToken, signInReason, writeToken } from "@/api/session";
import { forgetLink, openedLink, safeReturn } from "@/api/signInLink";
import type { Session } from "@/api/types";
import { readQuery } from "@/lib/search";
import { Logo } from "@/shell/Logo";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { InvitationForm } from "./InvitationForm";
import { SetupForm } from "./SetupForm";
import { SignInWays } from "./SignInWays";
import { TokenLink } from "./TokenLink";
import { providerError, reasonText } from "./words";

/** The sign-in page. After signing in it returns to the page in the parameter `return`. */
export function SignInPage() {
  const params = useLocation({ select: ({ searchStr }) => readQuery(searchStr) });
  // The parameter is read once, because the address changes before this page is removed.
  const [back] = useState(() => safeReturn(params.return));
  const query = useQuery({ ...sessionQuery, staleTime: 0, refetchOnMount: "always" });
  const [link, setLink] = useState(openedLink);
  const [wantsToken, setWantsToken] = useState(false);
  const [notice] = useState(() => providerError(params.error) ?? reasonText(signInReason(), readToken()));
  const done = useDone(back);
  const session = query.isFetchedAfterMount ? query.data : undefined;
  const isSignedIn = session?.authenticated === true && link === null;
  useEffect(() => {
    if (isSignedIn) done(session);
    // A token that the server refuses would take precedence over a session.
    else if (session && !session.authenticated) writeToken(null);
  }, [isSignedIn, done, session]);
  const leaveLink = () => {
    forgetLink();
    setLink(null);
  };
  if (query.error && !session) {
    return (
      <Frame>
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      </Frame>
    );
  }
  if (!session || isSignedIn) {
    return (
      <Frame>
        <SkeletonRows rows={3} />
      </Frame>
    );
  }
  return (
    <Frame>
      {link?.kind === "invitation" ? (
        <InvitationForm link={link} onDone={done} onLeave={leaveLink} />
      ) : link && session.setup && !wantsToken ? (
        <SetupForm code={link.code} onDone={done} onToken={() => setWantsToken(true)} />
      ) : link ? (
        <TokenLink code={link.code} onDone={done} onLeave={leaveLink} />
      ) : (
        <SignInWays session={session} back={back} notice={notice} onDone={done} />
      )}
    </Frame>
  );
}

function Frame({ children }: { children: ReactNode }) {
  return (
    <main id="content" className="grid min-h-dvh place-items-center p-4">
      <div className="flex w-full max-w-96 flex-col gap-5 py-6">
        <p className="flex items-center justify-center gap-2 text-lg font-semibold">
          <Logo />
          SentiStream
        </p>
        <div className="card flex flex-col gap-4 p-5 sm:p-6">{children}</div>
      </div>
    </main>
  );
}

/** Leaves the sign-in page and removes cached responses, which may belong to another person. */
function useDone(back: string) {
  const queries = useQueryClient();
  const { history } = useRouter();
  return useCallback(
    (session: Session | null) => {
      forgetLink();
      askToSignIn(null);
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.session[0] });
      if (session) queries.setQueryData(keys.session, session);
      else void queries.invalidateQueries({ queryKey: keys.session });
      history.replace(back);
    },
    [queries, history, back],
  );
}
