import { expect, it, vi } from "vitest";
import type { PostsQuery } from "@/api/endpoints";
import type { PostPage } from "@/api/types";
import { iso } from "@/testing/answer";
import { makePost, World } from "@/testing/world";
import { FEED_LIMIT } from "./feed";
import { fetchMissed } from "./gap";

const NOW = Date.parse("2026-03-01T12:00:00Z");

function server(count: number) {
  const world = new World();
  for (let n = 0; n < count; n += 1) world.add(makePost({ id: `p${n}`, at: NOW - n * 1_000 }));
  return vi.fn(async (query: PostsQuery): Promise<PostPage> => {
    const params = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) params.set(key, String(value));
    return world.page(params);
  });
}

it("empty feed reads one page of the newest posts", async () => {
  const fetchPage = server(250);
  const posts = await fetchMissed(0, {}, fetchPage);
  expect(posts).toHaveLength(100);
  expect(fetchPage).toHaveBeenCalledTimes(1);
});

it("gap is read from ten seconds before the newest post", async () => {
  const fetchPage = server(400);
  const newest = NOW - 150_000 + 40;
  const posts = await fetchMissed(newest, { source: "web" }, fetchPage);
  expect(fetchPage.mock.calls[0]?.[0]).toMatchObject({ ingested_after: iso(newest - 10_000), source: "web" });
  const ids = new Set(posts.map(({ id }) => id));
  expect(posts).toHaveLength(160);
  expect(ids.has("p0")).toBe(true);
  expect(ids.has("p159")).toBe(true);
});

it("gap longer than the feed is read up to the limit", async () => {
  const fetchPage = server(5_000);
  const posts = await fetchMissed(NOW - 4_000_000, {}, fetchPage);
  expect(posts.length).toBe(FEED_LIMIT);
});
