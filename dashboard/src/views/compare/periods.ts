import { DAY, type TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";

/** Two periods of the same length. Times are in milliseconds. */
export interface Periods {
  later: Stretch;
  earlier: Stretch;
}

interface Stretch {
  start: number;
  end: number;
}

const EARLIER = { "1d": DAY, "7d": 7 * DAY, "28d": 28 * DAY } as const;

/** The chosen period up to now, and the earlier period to compare with. */
export function periodsOf(window: TimeWindow, against: Search["against"], now: number): Periods {
  const later = { start: window.start, end: Math.min(window.end, now) };
  const length = later.end - later.start;
  const start = earlierStart(later.start, length, against);
  return { later, earlier: { start, end: start + length } };
}

function earlierStart(start: number, length: number, against: Search["against"]): number {
  if (against === undefined) return start - length;
  const days = EARLIER[against as keyof typeof EARLIER];
  return days ? start - days : Date.parse(against);
}
