import { useInfiniteQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { AuditChange, AuditEvent, AuditOutcome } from "./types";

/** The audit log. */

export interface AuditFilter {
  /** Only events of this actor. Empty means all. */
  actor: string;
  /** Empty means all. */
  outcome: AuditOutcome | "";
}

const PAGE = 50;

/** The events that match the filter, newest first, in pages. */
export function useAuditQuery({ actor, outcome }: AuditFilter) {
  const filter = { ...(actor ? { actor } : {}), ...(outcome ? { outcome } : {}) };
  const query = useInfiniteQuery({
    queryKey: keys.audit.list(actor, outcome),
    queryFn: ({ pageParam, signal }) =>
      dataOf(
        api.GET("/api/audit", {
          params: { query: { limit: PAGE, ...filter, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: refetchFirst,
  });
  const events: AuditEvent[] | undefined = query.data?.pages.flatMap((page) => page.events);
  return { query, events };
}

/** The changes of alerting, sources and settings with their values, newest first, in pages. */
export function useChangesQuery() {
  const query = useInfiniteQuery({
    queryKey: keys.audit.changes,
    queryFn: ({ pageParam: cursor, signal }) =>
      dataOf(api.GET("/api/alerts/audit", { params: { query: { limit: PAGE, cursor } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: refetchFirst,
  });
  const changes: AuditChange[] | undefined = query.data?.pages.flatMap((page) => page.entries);
  return { query, changes };
}

/** The interval between refetches, in milliseconds. Several pages are not refetched, because each costs a request. */
function refetchFirst({ state }: { state: { data?: { pages: unknown[] } | undefined } }): number | false {
  return (state.data?.pages.length ?? 0) > 1 ? false : 10_000;
}
