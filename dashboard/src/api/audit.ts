import { useInfiniteQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { AuditEvent, AuditOutcome } from "./types";

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
    // A refetch of every page would be costly. New events appear when the first page is alone.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : 10_000),
  });
  const events: AuditEvent[] | undefined = query.data?.pages.flatMap((page) => page.events);
  return { query, events };
}
