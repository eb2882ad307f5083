import type { Emotion, Sentiment } from "@/api/types";
import { EMOTIONS, SENTIMENTS } from "./labels";
import type { Point } from "./metrics";

/** The counts of a period. */
export interface Side {
  posts: number;
  counts: Record<Sentiment, number>;
  emotions: Record<Emotion, number>;
}

/** A significant change of a sentiment's share between two periods. */
export interface ShareChange {
  label: Sentiment;
  /** Percent of posts. */
  before: number;
  now: number;
  /** The emotion whose share changed most in the same direction. */
  emotion: Emotion | null;
}

/** A significant change of the number of posts. */
export interface VolumeChange {
  before: number;
  now: number;
}

/** Fewer posts than this on either side prove nothing. */
const LEAST_POSTS = 30;
/** Two-sided p below 0.001, since a page shows the largest of three tests. */
const LEAST_Z = 3.3;
/** Smaller changes are of no interest even if they are certain. */
const LEAST_POINTS = 5;
const LEAST_FACTOR = 1.5;
/** The part of a change that one emotion or source must explain to be named. */
const LEAST_PART = 0.35;

/** The most significant change of a sentiment's share by a two-proportion z-test, or `null`. */
export function shareChange(now: Side, before: Side): ShareChange | null {
  if (now.posts < LEAST_POSTS || before.posts < LEAST_POSTS) return null;
  const changes = SENTIMENTS.map((label) => {
    const [is, was] = [now.counts[label] / now.posts, before.counts[label] / before.posts];
    const pooled = (now.counts[label] + before.counts[label]) / (now.posts + before.posts);
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / now.posts + 1 / before.posts));
    return { label, now: is * 100, before: was * 100, z: error === 0 ? 0 : (is - was) / error };
  });
  // A change of the neutral share alone is no change of mood. A rise is named before the fall that mirrors it.
  const [first] = changes
    .filter(({ label, z, now: is, before: was }) => {
      return label !== "neutral" && Math.abs(z) >= LEAST_Z && Math.abs(is - was) >= LEAST_POINTS;
    })
    .sort((a, b) => Number(b.z > 0) - Number(a.z > 0) || Math.abs(b.z) - Math.abs(a.z));
  if (!first) return null;
  const { z: _, ...change } = first;
  return { ...change, emotion: leadingEmotion(now, before, change.now - change.before) };
}

/** The emotion that explains most of a change of `points`, if it explains enough. */
function leadingEmotion(now: Side, before: Side, points: number): Emotion | null {
  const moves = EMOTIONS.filter((emotion) => emotion !== "neutral").map((emotion) => ({
    emotion,
    part:
      ((now.emotions[emotion] / now.posts - before.emotions[emotion] / before.posts) * 100) /
      Math.abs(points),
  }));
  // An emotion is named when it grew; what shrank does not describe the posts.
  const [first] = moves.sort((a, b) => b.part - a.part);
  return first && first.part >= LEAST_PART ? first.emotion : null;
}

/** The change of the number of posts if it is significant and large, or `null`. */
export function volumeChange(now: Side, before: Side): VolumeChange | null {
  if (Math.max(now.posts, before.posts) < LEAST_POSTS || Math.min(now.posts, before.posts) < 1) return null;
  const z = (now.posts - before.posts) / Math.sqrt(now.posts + before.posts);
  const factor = Math.max(now.posts, before.posts) / Math.min(now.posts, before.posts);
  return Math.abs(z) >= LEAST_Z && factor >= LEAST_FACTOR ? { before: before.posts, now: now.posts } : null;
}

/** The source that explains most of a share's change, if it explains enough. */
export function leadingSource(
  label: Sentiment,
  total: { now: Side; before: Side },
  sources: readonly { source: string; now: Side; before: Side }[],
): string | null {
  if (total.now.posts === 0 || total.before.posts === 0 || sources.length < 2) return null;
  const part = ({ now, before }: { now: Side; before: Side }) =>
    now.counts[label] / total.now.posts - before.counts[label] / total.before.posts;
  const whole = part(total);
  const parts = sources.map((one) => ({ source: one.source, part: part(one) / whole }));
  const [first] = parts.sort((a, b) => b.part - a.part);
  return first && Number.isFinite(first.part) && first.part >= LEAST_PART ? first.source : null;
}

/** When the share of a label changed: the split of the buckets with the most significant difference. */
export function turningPoint(points: readonly Point[], label: Sentiment): number | null {
  const total = sum(points, label);
  let [best, at]: [number, number | null] = [LEAST_Z, null];
  const left = { posts: 0, hits: 0 };
  for (const [index, point] of points.entries()) {
    const right = { posts: total.posts - left.posts, hits: total.hits - left.hits };
    if (index > 0 && left.posts >= LEAST_POSTS && right.posts >= LEAST_POSTS) {
      const pooled = total.hits / total.posts;
      const error = Math.sqrt(pooled * (1 - pooled) * (1 / left.posts + 1 / right.posts));
      const z = error === 0 ? 0 : Math.abs(right.hits / right.posts - left.hits / left.posts) / error;
      if (z > best) [best, at] = [z, point.time];
    }
    left.posts += point.total;
    left.hits += point[label];
  }
  return at;
}

function sum(points: readonly Point[], label: Sentiment) {
  return points.reduce((all, point) => ({ posts: all.posts + point.total, hits: all.hits + point[label] }), {
    posts: 0,
    hits: 0,
  });
}
