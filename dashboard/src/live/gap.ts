import type { PostsQuery } from "@/api/endpoints";
import type { PostPage } from "@/api/types";
import { FEED_LIMIT } from "./feed";
import { fromPost, type LiveFilter, type LivePost } from "./post";

/** Events may be stored a little out of order and clocks differ: this much is read again. */
const OVERLAP_MS = 10_000;
const PAGE = 100;

/**
 * The posts that were stored while nobody listened: everything since `newest` with some overlap,
 * or the newest posts when there is none yet. Reads no more than the feed can show.
 */
export async function fetchMissed(
  newest: number,
  filter: LiveFilter,
  fetchPage: (query: PostsQuery) => Promise<PostPage>,
): Promise<LivePost[]> {
  const ingestedAfter = newest > 0 ? new Date(newest - OVERLAP_MS).toISOString() : undefined;
  const { min, ...known } = filter;
  const posts: LivePost[] = [];
  let cursor: string | undefined;
  do {
    const page = await fetchPage({
      ...known,
      min_confidence: min,
      limit: PAGE,
      ingested_after: ingestedAfter,
      cursor,
    });
    posts.push(...page.posts.map(fromPost));
    cursor = page.next_cursor ?? undefined;
  } while (cursor && ingestedAfter && posts.length < FEED_LIMIT);
  return posts;
}
