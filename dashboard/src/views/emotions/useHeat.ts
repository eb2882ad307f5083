import { useMemo } from "react";
import { countFilter, useAggregateQuery } from "@/api/queries";
import { exact } from "@/lib/format";
import { ceil, DAY, HOUR, MINUTE, type TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { useWindow } from "@/views/overview/useComparison";
import { heatOf } from "./heat";

/** The maximum number of days, which limits the number of buckets. */
const MOST_DAYS = 90;

/** Emotions by hour of the day over the chosen period, but over at least 24 hours and at most 90 days. */
export function useHeat(search: Search) {
  const window = useWindow(search);
  const hourly = useMemo(() => hourlyWindow(window), [window]);
  const query = useAggregateQuery(hourly, { ...countFilter(search), sentiment: search.sentiment });
  const answer = query.data?.answer;
  const hours = useMemo(() => answer && heatOf(answer.data), [answer]);
  const now = useNow(MINUTE);
  return {
    hours,
    error: answer ? null : query.error,
    retry: () => void query.refetch(),
    title: "Emotions by hour of the day",
    note: noteOf(window, now),
  };
}

/** The range that the card shows, if it differs from the chosen period. */
function noteOf({ start, end }: TimeWindow, now: number): string | undefined {
  const until = exact(Math.min(end, now));
  if (end - start < DAY) return `24 hours until ${until}`;
  return end - start > MOST_DAYS * DAY ? `${MOST_DAYS} days until ${until}` : undefined;
}

function hourlyWindow(window: TimeWindow): TimeWindow {
  const end = ceil(window.end, "hour");
  const span = Math.min(Math.max(window.end - window.start, DAY), MOST_DAYS * DAY);
  const start = end - Math.ceil(span / HOUR) * HOUR;
  return { period: "hour", start, end, before: start, beforeEnd: start, live: window.live };
}
