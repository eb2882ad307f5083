import type { LivePost } from "./post";

/** The maximum number of posts in the feed. */
export const FEED_LIMIT = 300;

/** The number of ids kept to detect duplicates. It exceeds the number of posts that are read twice after a gap. */
const SEEN_LIMIT = 20_000;

/** The newest posts by storage time. Immutable, so that React detects changes. */
export interface Feed {
  posts: readonly LivePost[];
  /** The number of posts ever added. Its growth since a pause is the number of new posts. */
  received: number;
  /** Ids of added and deleted posts, oldest first. Shared by all versions of the feed. */
  seen: Set<string>;
  /** Ids of deleted posts. Shared by all versions of the feed. */
  deleted: Set<string>;
  /** The newest `ingestedAt` so far. Missed posts are read from shortly before this time. */
  newest: number;
}

export function emptyFeed(): Feed {
  return { posts: [], received: 0, seen: new Set(), deleted: new Set(), newest: 0 };
}

/** The posts of a batch that the feed has not seen. Marks them as seen. */
export function unseen(feed: Feed, batch: readonly LivePost[]): LivePost[] {
  const fresh = batch.filter((post) => {
    if (feed.seen.has(post.id)) return false;
    feed.seen.add(post.id);
    return true;
  });
  trim(feed.seen);
  return fresh;
}

/** Adds unseen posts. */
export function addPosts(feed: Feed, fresh: readonly LivePost[]): Feed {
  if (fresh.length === 0) return feed;
  const posts = [...fresh, ...feed.posts].sort(newestFirst).slice(0, FEED_LIMIT);
  const newest = fresh.reduce((latest, post) => Math.max(latest, post.ingestedAt), feed.newest);
  return { ...feed, posts, newest, received: feed.received + fresh.length };
}

/** Removes deleted posts and marks them as seen, so that a late event does not add them again. */
export function removePosts(feed: Feed, ids: readonly string[]): Feed {
  for (const id of ids) {
    feed.seen.add(id);
    feed.deleted.add(id);
  }
  trim(feed.seen);
  trim(feed.deleted);
  const gone = new Set(ids);
  const posts = feed.posts.filter((post) => !gone.has(post.id));
  return { ...feed, posts };
}

function newestFirst(a: LivePost, b: LivePost): number {
  return b.ingestedAt - a.ingestedAt || b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1);
}

function trim(seen: Set<string>): void {
  for (const id of seen) {
    if (seen.size <= SEEN_LIMIT) return;
    seen.delete(id);
  }
}
