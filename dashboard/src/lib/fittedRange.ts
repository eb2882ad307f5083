import { DAY, HOUR } from "./range";
import { DEFAULT_RANGE, type RangeKey } from "./search";

/** The times of the oldest and the newest post, in milliseconds. */
export interface Extent {
  first: number;
  last: number;
}

const LENGTHS: readonly [RangeKey, number][] = [
  ["1h", HOUR],
  ["24h", DAY],
  ["7d", 7 * DAY],
];

/**
 * The default range when none was chosen: long enough to contain the newest post, but at most 30 days. It is at least a
 * day if the first post is more than three hours old.
 */
export function fittedRange(extent: Extent | null, now: number): RangeKey {
  if (!extent) return DEFAULT_RANGE;
  const age = now - extent.last;
  const wanted = now - extent.first > 3 * HOUR ? DAY : HOUR;
  return LENGTHS.find(([, length]) => length >= wanted && length > age)?.[0] ?? "30d";
}
