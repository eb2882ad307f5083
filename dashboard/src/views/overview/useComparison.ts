import { useMemo } from "react";
import { useAggregateQuery } from "@/api/queries";
import { type Comparison, compare } from "@/lib/metrics";
import { bucketLength, MINUTE, type TimeWindow, windowOf } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { useLive } from "@/live/LiveProvider";
import { withArrivals } from "@/live/overlay";

export interface ComparisonState {
  window: TimeWindow;
  data: Comparison | undefined;
  error: unknown;
  /** What is shown belongs to an earlier filter. */
  stale: boolean;
  retry: () => void;
}

/** The stretch of time that a search shows; it moves on by itself. */
export function useWindow(search: Search): TimeWindow {
  const now = useNow(MINUTE);
  const { range, from, to } = search;
  return useMemo(() => windowOf({ range, from, to }, now), [range, from, to, now]);
}

/** Counts over the chosen time beside those of the period before, live. */
export function useComparison(search: Search): ComparisonState {
  const window = useWindow(search);
  const query = useAggregateQuery(window, { source: search.source, emotion: search.emotion });
  const arrivals = useLive((state) => state.arrivals);
  // A feed of one sentiment says nothing about the others: then the totals are only read again.
  const complete = window.live && !search.sentiment;
  const data = useMemo(() => {
    if (!query.data) return undefined;
    const { answer, asOf } = query.data;
    const later = complete ? arrivals.filter(({ at }) => at > asOf).map(({ post }) => post) : [];
    return compare(withArrivals(answer, later), window, nowWithin(window));
  }, [query.data, arrivals, complete, window]);
  return {
    window,
    data,
    error: query.data ? null : query.error,
    stale: query.isPlaceholderData && !isShifted(query.data?.answer.end_date, window),
    retry: () => void query.refetch(),
  };
}

function nowWithin(window: TimeWindow): number {
  return window.live ? Date.now() : window.end;
}

/** The earlier answer is of the same filter one bucket ago: it is as good as new. */
function isShifted(end: string | undefined, window: TimeWindow): boolean {
  return end !== undefined && Math.abs(window.end - Date.parse(end)) <= bucketLength(window.period);
}
