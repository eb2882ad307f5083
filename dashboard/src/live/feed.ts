import type { LivePost } from "./post";

/** How many posts the feed keeps. */
export const FEED_LIMIT = 300;

/** How many ids are remembered, so that a post that comes again is known: more than any overlap holds. */
const SEEN_LIMIT = 20_000;

/** The newest posts, by the time at which they were stored. Immutable, so that React sees a change. */
export interface Feed {
  posts: readonly LivePost[];
  /** Posts that were ever taken in; what grew since a pause is new. */
  received: number;
  /** Ids of posts that were taken in or deleted, oldest first. Shared between versions. */
  seen: Set<string>;
  /** Ids of deleted posts, shared likewise. */
  deleted: Set<string>;
  /** Newest `ingestedAt` so far; a gap is filled from here. */
  newest: number;
}

export function emptyFeed(): Feed {
  return { posts: [], received: 0, seen: new Set(), deleted: new Set(), newest: 0 };
}

/** The posts of a batch that were not here before; from now on they were. */
export function unseen(feed: Feed, batch: readonly LivePost[]): LivePost[] {
  const fresh = batch.filter((post) => {
    if (feed.seen.has(post.id)) return false;
    feed.seen.add(post.id);
    return true;
  });
  trim(feed.seen);
  return fresh;
}

/** Takes posts in that were not here before. */
export function addPosts(feed: Feed, fresh: readonly LivePost[]): Feed {
  if (fresh.length === 0) return feed;
  const posts = [...fresh, ...feed.posts].sort(newestFirst).slice(0, FEED_LIMIT);
  const newest = fresh.reduce((latest, post) => Math.max(latest, post.ingestedAt), feed.newest);
  return { ...feed, posts, newest, received: feed.received + fresh.length };
}

/** Takes deleted posts out, and lets a late event not bring them back. */
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
