import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { Scope, Session } from "./types";

/** Who uses this page and what they may do. */

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
  /** Whether the scope is granted. Until the server has answered, everything is assumed to be. */
  can: (scope: Scope) => boolean;
}

/** What the person may do. The server enforces it; the page uses it to offer only what works. */
export function useAccess(): Access {
  const session = useSessionQuery().data;
  return { session, can: (scope) => !session?.authenticated || session.scopes.includes(scope) };
}
