import type { Search } from "@/lib/search";
import { useLive } from "@/live/LiveProvider";
import { mentions } from "@/live/post";

/** How many live posts belong to the list but came after it was read. */
export function useNewCount(search: Search, readAt: number): number {
  const arrivals = useLive((state) => state.arrivals);
  if (search.to || readAt === 0) return 0;
  return arrivals.filter(
    ({ post, at }) =>
      at > readAt &&
      mentions(post, search.q) &&
      (!search.author || post.author === search.author) &&
      post.confidence >= (search.min ?? 0),
  ).length;
}
