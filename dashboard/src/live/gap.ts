import type { PostsQuery } from "@/api/endpoints";
import type { PostPage } from "@/api/types";
import { FEED_LIMIT } from "./feed";
import { fromPost, type LiveFilter, type LivePost } from "./post";

/** The overlap that is read again, because events may be stored out of order and clocks differ. */
const OVERLAP_MS = 10_000;
const PAGE = 100;

/**
 * Reads the posts that were missed: everything since `newest` with some overlap, or the newest posts for an
 * empty feed. Reads at most `FEED_LIMIT` posts.
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
