import type { Search } from "@/lib/search";
import { useLive } from "@/live/LiveProvider";
import type { LivePost } from "@/live/post";

/** The number of live posts that match the list and arrived after it was read. `start` is the start of the range. */
export function useNewCount(search: Search, start: number, listed: readonly LivePost[] | undefined): number {
  const feed = useLive((state) => state.feed);
  // Live posts have no language, so they cannot be filtered by it.
  if (search.to || search.sort || search.lang || !listed) return 0;
  const newest = Math.max(...listed.map(({ ingestedAt }) => ingestedAt));
  const { author, min = 0 } = search;
  return feed.posts.filter(
    (post) =>
      post.ingestedAt > newest &&
      post.createdAt >= start &&
      (!author || post.author === author) &&
      (post.confidence ?? 0) >= min,
  ).length;
}
