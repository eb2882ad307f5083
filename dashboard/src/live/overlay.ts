import type { Aggregate, Bucket } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { EMOTIONS } from "@/lib/labels";
import type { LivePost } from "./post";

/** A live post and its arrival time. */
export interface Arrival {
  post: LivePost;
  at: number;
}

/** The aggregate plus the posts that arrived after it was read, each in the bucket of its time. */
export function withArrivals(aggregate: Aggregate, posts: readonly LivePost[]): Aggregate {
  if (posts.length === 0 || aggregate.data.length === 0) return aggregate;
  const starts = aggregate.data.map((bucket) => Date.parse(bucket.timestamp));
  const end = Date.parse(aggregate.end_date);
  const added = new Map<number, LivePost[]>();
  for (const post of posts) {
    const index = bucketIndex(starts, end, post.createdAt);
    if (index < 0) continue;
    const list = added.get(index);
    if (list) list.push(post);
    else added.set(index, [post]);
  }
  if (added.size === 0) return aggregate;
  const data = aggregate.data.map((bucket, index) => addToBucket(bucket, added.get(index) ?? []));
  return { ...aggregate, data, summary: summarise(data) };
}

/** The index of the bucket that contains `time` by binary search, or -1. */
function bucketIndex(starts: readonly number[], end: number, time: number): number {
  if (time >= end || time < (starts[0] ?? Number.POSITIVE_INFINITY)) return -1;
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

function addToBucket(bucket: Bucket, posts: readonly LivePost[]): Bucket {
  if (posts.length === 0) return bucket;
  const next: Bucket = { ...bucket, emotions: { ...bucket.emotions } };
  let confidence = bucket.average_confidence * bucket.total_count;
  let unscored = 0;
  for (const { sentiment, emotion, confidence: certainty } of posts) {
    if (!sentiment || !emotion) {
      unscored += 1;
      continue;
    }
    next[`${sentiment}_count`] += 1;
    next.total_count += 1;
    next.emotions[emotion] += 1;
    confidence += certainty ?? 0;
  }
  if (unscored > 0) next.unscored_count = (bucket.unscored_count ?? 0) + unscored;
  if (next.total_count === bucket.total_count) return next;
  next.average_confidence = confidence / next.total_count;
  next.positive_percentage = percentOf(next.positive_count, next.total_count);
  next.neutral_percentage = percentOf(next.neutral_count, next.total_count);
  next.negative_percentage = percentOf(next.negative_count, next.total_count);
  return next;
}

function summarise(data: readonly Bucket[]): Aggregate["summary"] {
  const summary = {
    total_posts: 0,
    positive_total: 0,
    negative_total: 0,
    neutral_total: 0,
    average_confidence: 0,
    emotions: { anger: 0, disgust: 0, fear: 0, joy: 0, neutral: 0, sadness: 0, surprise: 0 },
  };
  let confidence = 0;
  for (const bucket of data) {
    summary.total_posts += bucket.total_count;
    summary.positive_total += bucket.positive_count;
    summary.negative_total += bucket.negative_count;
    summary.neutral_total += bucket.neutral_count;
    confidence += bucket.average_confidence * bucket.total_count;
    for (const emotion of EMOTIONS) summary.emotions[emotion] += bucket.emotions[emotion];
  }
  summary.average_confidence = summary.total_posts ? confidence / summary.total_posts : 0;
  return summary;
}
