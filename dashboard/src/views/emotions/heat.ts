import type { Bucket, Emotion } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { EMOTIONS } from "@/lib/labels";

/** An hour of the day with its posts and the share of each emotion. */
export interface HeatHour {
  hour: number;
  /** The start of the hour, or `null` when several days are summed. */
  start: number | null;
  posts: number;
  counts: Record<Emotion, number>;
  /** Percent of the hour's posts, or `null` without posts. */
  shares: Record<Emotion, number | null>;
}

/** Sums hourly buckets by the viewer's hour of the day. */
export function heatOf(buckets: readonly Bucket[]): HeatHour[] {
  const hours = Array.from({ length: 24 }, (_, hour) => ({
    hour,
    start: null as number | null,
    posts: 0,
    counts: none(0),
  }));
  for (const bucket of buckets) {
    const row = hours[new Date(bucket.timestamp).getHours()];
    if (!row) continue;
    row.start = buckets.length <= 24 ? Date.parse(bucket.timestamp) : null;
    row.posts += bucket.total_count;
    for (const emotion of EMOTIONS) row.counts[emotion] += bucket.emotions[emotion];
  }
  return hours.map((row) => {
    const shares: Record<Emotion, number | null> = none(null);
    if (row.posts > 0)
      for (const emotion of EMOTIONS) shares[emotion] = percentOf(row.counts[emotion], row.posts);
    return { ...row, shares };
  });
}

/** The largest share of an emotion at any hour. */
export function largestShare(hours: readonly HeatHour[], emotion: Emotion): number {
  return Math.max(1, ...hours.map(({ shares }) => shares[emotion] ?? 0));
}

function none<T>(value: T): Record<Emotion, T> {
  return {
    anger: value,
    disgust: value,
    fear: value,
    joy: value,
    neutral: value,
    sadness: value,
    surprise: value,
  };
}
