import { beforeEach, describe, expect, it, vi } from "vitest";
import type { PostsQuery } from "@/api/endpoints";
import type { PostPage } from "@/api/types";
import { FakeWire } from "@/testing/live";
import { eventOf, makePost, type PostSpec, World } from "@/testing/world";
import type { LiveFilter } from "./post";
import { LiveStore } from "./store";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const CONNECTED = { type: "connected", message: "hi", timestamp: "2026-03-01T12:00:00.000Z" };

function harness() {
  const world = new World();
  const wires: FakeWire[] = [];
  const events = { onChange: vi.fn(), onAlert: vi.fn(), onDeleted: vi.fn(), onGap: vi.fn() };
  const fetchPage = vi.fn(async (query: PostsQuery): Promise<PostPage> => {
    const params = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) params.set(key, String(value));
    return world.page(params);
  });
  const store = new LiveStore({
    open: () => {
      const wire = new FakeWire();
      wires.push(wire);
      return wire;
    },
    fetchPage,
    events,
  });
  const wire = () => wires.at(-1) as FakeWire;
  return {
    world,
    store,
    events,
    fetchPage,
    wire,
    post(spec: Omit<PostSpec, "at"> & { at?: number }) {
      const made = makePost({ at: NOW, ...spec });
      world.add(made);
      return made;
    },
    receive: (spec: Omit<PostSpec, "at"> & { at?: number }) =>
      wire().receive({ type: "post", data: eventOf(makePost({ at: NOW, ...spec })) }),
    ids: () => store.snapshot().feed.posts.map(({ id }) => id),
    settle: (milliseconds = 300) => vi.advanceTimersByTimeAsync(milliseconds),
  };
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

describe("live store", () => {
  it("posts from REST and WebSocket appear once each", async () => {
    const { store, post, receive, ids, wire, settle } = harness();
    post({ id: "a", at: NOW - 2_000 });
    store.start();
    await settle();
    expect(ids()).toEqual(["a"]);
    wire().receive(CONNECTED);
    receive({ id: "a", at: NOW - 2_000 });
    receive({ id: "b" });
    receive({ id: "b" });
    await settle();
    expect(ids()).toEqual(["b", "a"]);
    expect(store.snapshot().arrivals.map(({ post: { id } }) => id)).toEqual(["b"]);
  });

  it("post of a topic shows the chosen sentiment", async () => {
    const { store, world, wire, settle } = harness();
    world.topics.add("acme", "acme");
    store.start();
    wire().receive(CONNECTED);
    const event = {
      ...eventOf(makePost({ id: "a", at: NOW, sentiment: "negative" })),
      topics: ["acme"],
      topic_sentiments: { acme: "positive" as const },
    };
    const shown = async (filter: LiveFilter) => {
      store.setFilter({ topic: "acme", ...filter });
      await settle();
      wire().receive({ type: "post", data: event });
      await settle();
      return store.snapshot().feed.posts.map(({ sentiment }) => sentiment);
    };
    expect(await shown({})).toEqual(["positive"]);
    expect(await shown({ sentiment_of: "post" })).toEqual(["negative"]);
    expect(await shown({ sentiment_of: "post", sentiment: "positive" })).toEqual([]);
    // The server filters by the sentiment towards the topic only, so it gets no sentiment.
    expect(wire().sent.at(-1)).toMatchObject({ type: "subscribe", filters: { topic: "acme" } });
    expect(wire().sent.at(-1)).not.toHaveProperty("filters.sentiment");
  });

  it("burst is applied in one update", async () => {
    const { store, receive, wire, settle } = harness();
    store.start();
    wire().receive(CONNECTED);
    await settle();
    const seen = vi.fn();
    store.subscribe(seen);
    for (let n = 0; n < 200; n += 1) receive({ id: `p${n}`, at: NOW + n });
    expect(seen).not.toHaveBeenCalled();
    await settle();
    // Once for the feed and once for the totals.
    expect(seen).toHaveBeenCalledTimes(2);
    expect(store.snapshot().feed.received).toBe(200);
  });

  it("gap after a reconnect is filled without duplicates", async () => {
    const { store, post, receive, ids, wire, settle, events } = harness();
    store.start();
    wire().receive(CONNECTED);
    post({ id: "before", at: NOW });
    receive({ id: "before", at: NOW });
    await settle();
    wire().drop();
    expect(store.snapshot().connection).toBe("reconnecting");
    post({ id: "missed-1", at: NOW + 100 });
    post({ id: "missed-2", at: NOW + 200 });
    await settle(1_000);
    events.onGap.mockClear();
    wire().receive(CONNECTED);
    post({ id: "after", at: NOW + 300 });
    receive({ id: "after", at: NOW + 300 });
    await settle();
    expect(ids()).toEqual(["after", "missed-2", "missed-1", "before"]);
    expect(events.onGap).toHaveBeenCalledTimes(1);
  });

  it("missed posts are read after a lagged frame", async () => {
    const { store, post, ids, wire, settle } = harness();
    store.start();
    wire().receive(CONNECTED);
    await settle();
    post({ id: "left-out" });
    wire().receive({ type: "lagged", missed: null });
    await settle();
    expect(ids()).toEqual(["left-out"]);
  });

  it("failed read of missed posts is retried", async () => {
    const { store, post, ids, wire, settle, fetchPage } = harness();
    fetchPage.mockRejectedValueOnce(new Error("away"));
    post({ id: "a" });
    store.start();
    await settle();
    expect(store.snapshot().loaded).toBe(false);
    await settle(3_000);
    expect(ids()).toEqual(["a"]);
    expect(wire().closed).toBe(false);
  });

  it("stopped store reads nothing", async () => {
    const { store, settle, fetchPage } = harness();
    store.start();
    store.stop();
    const reads = fetchPage.mock.calls.length;
    await settle(10_000);
    expect(fetchPage.mock.calls.length).toBe(reads);
  });

  it("new filter resets the feed and drops late posts", async () => {
    const { store, post, receive, ids, wire, settle } = harness();
    post({ id: "good" });
    post({ id: "bad", sentiment: "negative", emotion: "anger" });
    store.start();
    wire().receive(CONNECTED);
    await settle();
    store.setFilter({ sentiment: "negative" });
    expect(store.snapshot().loaded).toBe(false);
    expect(wire().sent.at(-1)).toEqual({ type: "subscribe", filters: { sentiment: "negative" } });
    receive({ id: "late", sentiment: "positive" });
    await settle();
    expect(ids()).toEqual(["bad"]);
  });

  it("filter set before the start causes one read", async () => {
    const { store, fetchPage, settle } = harness();
    store.setFilter({ sentiment: "negative" });
    store.start();
    await settle();
    expect(fetchPage).toHaveBeenCalledTimes(1);
    expect(fetchPage.mock.calls[0]?.[0]).toMatchObject({ sentiment: "negative", limit: 100 });
  });

  it("search words filter the feed and the counts", async () => {
    const { store, receive, ids, wire, settle } = harness();
    store.setFilter({ q: "Rain snow" });
    store.start();
    wire().receive(CONNECTED);
    receive({ id: "a", content: "SNOW and rain" });
    receive({ id: "b", content: "sunshine" });
    await settle();
    expect(ids()).toEqual(["a"]);
    expect(store.snapshot().arrivals).toHaveLength(1);
  });

  it("deleted post is removed and alert is reported", async () => {
    const { store, receive, ids, wire, settle, events } = harness();
    store.start();
    wire().receive(CONNECTED);
    receive({ id: "a" });
    await settle();
    wire().receive({ type: "post_deleted", data: { post_id: "a" } });
    wire().receive({ type: "alert", data: { id: 1 } });
    await settle();
    expect(ids()).toEqual([]);
    expect(events.onDeleted).toHaveBeenCalledWith(["a"]);
    expect(events.onAlert).toHaveBeenCalledWith({ id: 1 });
  });

  it("missed posts of a suspended tab are read from the API", async () => {
    const { store, receive, wire, settle, fetchPage } = harness();
    store.start();
    wire().receive(CONNECTED);
    await settle();
    const reads = fetchPage.mock.calls.length;
    for (let n = 0; n < 2_100; n += 1) receive({ id: `p${n}`, at: NOW + n });
    await settle();
    expect(store.snapshot().feed.received).toBe(2_000);
    expect(fetchPage.mock.calls.length).toBeGreaterThan(reads);
  });
});
