import type { Sentiment } from "@/api/types";
import type { Point } from "./metrics";

/** The minimum number of posts on each side of the split. */
const LEAST_POSTS = 30;
/** The minimum of |z|: a two-sided p below 0.001. The test is strict, because the best of many splits is chosen. */
const LEAST_Z = 3.3;

/** The time at which the share of a label changed: the start of the bucket with the most significant difference. */
export function turningPoint(points: readonly Point[], label: Sentiment): number | null {
  const total = points.reduce(
    (all, point) => ({ posts: all.posts + point.total, hits: all.hits + point[label] }),
    { posts: 0, hits: 0 },
  );
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
