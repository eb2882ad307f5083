import { describe, expect, it } from "vitest";
import { livePost } from "@/testing/live";
import { addPosts, emptyFeed, FEED_LIMIT, removePosts, unseen } from "./feed";

const take = (feed: ReturnType<typeof emptyFeed>, ...posts: ReturnType<typeof livePost>[]) =>
  addPosts(feed, unseen(feed, posts));

describe("feed", () => {
  it("posts in any order are sorted newest first", () => {
    const feed = take(emptyFeed(), livePost("b", { ingestedAt: 2 }), livePost("c", { ingestedAt: 3 }));
    const later = take(feed, livePost("a", { ingestedAt: 1 }), livePost("d", { ingestedAt: 4 }));
    expect(later.posts.map(({ id }) => id)).toEqual(["d", "c", "b", "a"]);
    expect(later.newest).toBe(4);
  });

  it("duplicate post is added once, even after eviction", () => {
    let feed = take(emptyFeed(), livePost("old", { ingestedAt: 0 }), livePost("old", { ingestedAt: 0 }));
    expect(feed.received).toBe(1);
    for (let n = 1; n <= FEED_LIMIT; n += 1) feed = take(feed, livePost(`p${n}`, { ingestedAt: n }));
    expect(feed.posts).toHaveLength(FEED_LIMIT);
    expect(feed.posts.some(({ id }) => id === "old")).toBe(false);
    expect(take(feed, livePost("old", { ingestedAt: 0 }))).toBe(feed);
  });

  it("deleted post does not return with a late event", () => {
    const feed = removePosts(take(emptyFeed(), livePost("a"), livePost("b")), ["a", "never-seen"]);
    expect(feed.posts.map(({ id }) => id)).toEqual(["b"]);
    expect(take(feed, livePost("a"), livePost("never-seen")).posts).toHaveLength(1);
  });
});
