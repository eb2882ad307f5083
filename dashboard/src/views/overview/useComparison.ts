import { useMemo } from "react";
import { countFilter, type Snapshot, useAggregateQuery } from "@/api/queries";
import type { Aggregate } from "@/api/types";
import { type Comparison, compare } from "@/lib/metrics";
import { MINUTE, type TimeWindow, windowOf } from "@/lib/range";
import { DEFAULT_RANGE, type RangeKey, type Search } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { useArrivals } from "@/live/LiveProvider";
import { withArrivals } from "@/live/overlay";

export interface ComparisonState {
  window: TimeWindow;
  data: Comparison | undefined;
  /** The comparison for the chosen sentiment only, or for all posts if none is chosen. */
  chosen: Comparison | undefined;
  error: unknown;
  retry: () => void;
}

/** The time window of a search, updated every minute, because the window of a live range ends at the current time. */
export function useWindow(search: Search, fallback: RangeKey = DEFAULT_RANGE): TimeWindow {
  const now = useNow(MINUTE);
  const { range = fallback, from, to } = search;
  return useMemo(() => windowOf({ range, from, to }, now), [range, from, to, now]);
}

/** Live counts of the chosen period and of the period before. */
export function useComparison(search: Search): ComparisonState {
  const window = useWindow(search);
  const { sentiment } = search;
  const filter = countFilter(search);
  const query = useAggregateQuery(window, filter);
  // Without a chosen sentiment both queries have the same key, so one request is sent.
  const narrow = useAggregateQuery(window, sentiment ? { ...filter, sentiment } : filter);
  const all = useCompared(query.data, window, !sentiment);
  const one = useCompared(sentiment ? narrow.data : undefined, window, true);
  return {
    window,
    data: all,
    chosen: sentiment ? one : all,
    error: query.data ? null : (query.error ?? (narrow.data ? null : narrow.error)),
    retry: () => {
      void query.refetch();
      if (sentiment) void narrow.refetch();
    },
  };
}

/**
 * The response plus the live posts that the server stored later. If `complete` is false, no live posts are added,
 * because a feed that is filtered by sentiment lacks the posts with other sentiments.
 */
function useCompared(
  data: Snapshot<Aggregate> | undefined,
  window: TimeWindow,
  complete: boolean,
): Comparison | undefined {
  const arrivals = useArrivals();
  return useMemo(() => {
    if (!data) return undefined;
    const { answer, asOf } = data;
    const later =
      window.live && complete
        ? arrivals.map(({ post }) => post).filter(({ ingestedAt }) => ingestedAt > asOf)
        : [];
    return compare(withArrivals(answer, later), window, nowWithin(window));
  }, [data, arrivals, complete, window]);
}

function nowWithin(window: TimeWindow): number {
  return window.live ? Date.now() : window.end;
}
