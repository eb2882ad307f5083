import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { Scope, Session } from "./types";

/** The session of the person who uses this page, and its scopes. */

export function getSession(signal?: AbortSignal): Promise<Session> {
  return dataOf(api.GET("/api/session", signal ? { signal } : {}));
}

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) => getSession(signal),
  staleTime: 60_000,
  refetchInterval: 60_000,
});

export function useSessionQuery() {
  return useQuery(sessionQuery);
}

export interface Access {
  session: Session | undefined;
  /** Whether the session has the scope. True until the server has answered, and while signed out. */
  can: (scope: Scope) => boolean;
}

/** The session and its scopes. The page offers only permitted actions; the server checks each request. */
export function useAccess(): Access {
  const session = useSessionQuery().data;
  return { session, can: (scope) => !session?.authenticated || session.scopes.includes(scope) };
}
