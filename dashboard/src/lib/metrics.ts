import type { Aggregate, Bucket, Emotion, Sentiment } from "@/api/types";
import { percentOf } from "./counts";
import { EMOTIONS } from "./labels";
import { bucketLength, type TimeWindow } from "./range";

/** The totals of a period. */
export interface Totals {
  /** All posts, including posts without a sentiment. */
  all: number;
  /** Posts with a sentiment. Shares are percentages of this number. */
  posts: number;
  counts: Record<Sentiment, number>;
  /** Percent of the posts with a sentiment, or `null` if there are none. */
  shares: Record<Sentiment, number | null>;
  /** Share of positive minus share of negative posts, in [-100, 100]. */
  net: number | null;
  /** In [0, 1]. */
  confidence: number | null;
  emotions: Record<Emotion, number>;
}

/** One bucket of a chart. If no post has a sentiment, the shares are `null`, and a line has a gap. */
export interface Point {
  time: number;
  end: number;
  /** All posts, including posts without a sentiment. */
  all: number;
  /** Posts with a sentiment. */
  total: number;
  positive: number;
  neutral: number;
  negative: number;
  positiveShare: number | null;
  neutralShare: number | null;
  negativeShare: number | null;
  net: number | null;
  confidence: number | null;
  emotions: Record<Emotion, number>;
  /** The bucket has not ended yet. */
  unfinished: boolean;
  /** The bucket is before the first post, so its zeros are not drawn. */
  beforeData: boolean;
}

/** The bounds of a bucket as URL parameters. */
export function spanOf({ time, end }: { time: number; end: number }): { from: string; to: string } {
  return { from: new Date(time).toISOString(), to: new Date(end).toISOString() };
}

/** An aggregate, split into the shown period and the period before. */
export interface Comparison {
  points: Point[];
  now: Totals;
  before: Totals;
}

/**
 * Splits an aggregate at the start of the window. While the newest bucket is unfinished, the same fraction of the last
 * bucket of the earlier period counts, so that both periods are equally long.
 */
export function compare(aggregate: Aggregate, window: TimeWindow, now: number): Comparison {
  const current: Bucket[] = [];
  const before: Bucket[] = [];
  for (const bucket of aggregate.data) {
    const time = Date.parse(bucket.timestamp);
    if (time >= window.start && time < window.end) current.push(bucket);
    else if (time >= window.before && time < window.beforeEnd) before.push(bucket);
  }
  const elapsed = elapsedShare(current, window, now);
  const weights = before.map((_, index) => (index === before.length - 1 ? elapsed : 1));
  const first = aggregate.data.find((bucket) => allOf(bucket) > 0)?.timestamp;
  const firstPost = first === undefined ? window.start : Date.parse(first);
  return {
    points: current.map((bucket) => ({
      ...pointOf(bucket, window, now),
      beforeData: Date.parse(bucket.timestamp) < firstPost,
    })),
    now: totalsOf(
      current,
      current.map(() => 1),
    ),
    before: totalsOf(before, weights),
  };
}

/** The change of a count in percent, or `null` when there was nothing before. */
export function relativeChange(now: number, before: number): number | null {
  return before <= 0 ? null : ((now - before) * 100) / before;
}

/** The change of a share or score, or `null` when either is missing. */
export function difference(now: number | null, before: number | null): number | null {
  return now === null || before === null ? null : now - before;
}

function elapsedShare(current: readonly Bucket[], window: TimeWindow, now: number): number {
  const last = current.at(-1);
  if (!last) return 1;
  const share = (now - Date.parse(last.timestamp)) / bucketLength(window.period);
  return Math.min(1, Math.max(0, share));
}

function pointOf(bucket: Bucket, window: TimeWindow, now: number): Omit<Point, "beforeData"> {
  const time = Date.parse(bucket.timestamp);
  const end = time + bucketLength(window.period);
  const total = bucket.total_count;
  const share = (count: number) => (total === 0 ? null : percentOf(count, total));
  return {
    time,
    end,
    all: allOf(bucket),
    total,
    positive: bucket.positive_count,
    neutral: bucket.neutral_count,
    negative: bucket.negative_count,
    positiveShare: share(bucket.positive_count),
    neutralShare: share(bucket.neutral_count),
    negativeShare: share(bucket.negative_count),
    net: share(bucket.positive_count - bucket.negative_count),
    confidence: total === 0 ? null : bucket.average_confidence,
    emotions: emotionCounts(bucket, 1, emptyEmotions()),
    unfinished: end > now,
  };
}

function totalsOf(buckets: readonly Bucket[], weights: readonly number[]): Totals {
  const counts = { positive: 0, neutral: 0, negative: 0 };
  const emotions = emptyEmotions();
  let posts = 0;
  let all = 0;
  let confidence = 0;
  buckets.forEach((bucket, index) => {
    const weight = weights[index] ?? 1;
    posts += bucket.total_count * weight;
    all += allOf(bucket) * weight;
    counts.positive += bucket.positive_count * weight;
    counts.neutral += bucket.neutral_count * weight;
    counts.negative += bucket.negative_count * weight;
    confidence += bucket.average_confidence * bucket.total_count * weight;
    emotionCounts(bucket, weight, emotions);
  });
  const share = (count: number) => (posts === 0 ? null : percentOf(count, posts));
  return {
    all,
    posts,
    counts,
    shares: {
      positive: share(counts.positive),
      neutral: share(counts.neutral),
      negative: share(counts.negative),
    },
    net: share(counts.positive - counts.negative),
    confidence: posts === 0 ? null : confidence / posts,
    emotions,
  };
}

/** The counts of a bucket, a topic or a period in the API. */
interface Counted {
  total_count?: number;
  total?: number;
  unscored_count?: number;
}

/** The number of all posts, including posts that were not scored. */
export function allOf({ total_count, total = 0, unscored_count = 0 }: Counted): number {
  return (total_count ?? total) + unscored_count;
}

function emotionCounts(
  bucket: Bucket,
  weight: number,
  into: Record<Emotion, number>,
): Record<Emotion, number> {
  for (const emotion of EMOTIONS) into[emotion] += bucket.emotions[emotion] * weight;
  return into;
}

function emptyEmotions(): Record<Emotion, number> {
  return { anger: 0, disgust: 0, fear: 0, joy: 0, neutral: 0, sadness: 0, surprise: 0 };
}
