import { expect, it } from "vitest";
import { makePost, World } from "@/testing/world";
import { compare, difference, relativeChange } from "./metrics";
import { MINUTE, windowOf } from "./range";

const NOW = Date.parse("2026-03-10T14:25:30Z");

function comparison(world: World, now = NOW) {
  const window = windowOf({ range: "15m" }, now);
  const aggregate = world.aggregate(
    new URLSearchParams({
      period: "minute",
      start_date: new Date(window.before).toISOString(),
      end_date: new Date(window.end).toISOString(),
    }),
  );
  return compare(aggregate, window, now);
}

it("compare splits at the window start", () => {
  const world = new World();
  world.add(
    makePost({ id: "now-1", at: NOW - MINUTE }),
    makePost({ id: "now-2", at: NOW - MINUTE, sentiment: "negative", emotion: "anger", confidence: 0.5 }),
    makePost({ id: "before", at: NOW - 16 * MINUTE, sentiment: "negative", emotion: "fear" }),
  );
  const { now, before, points } = comparison(world);
  expect(points).toHaveLength(15);
  expect(now).toMatchObject({ posts: 2, net: 0, confidence: 0.7 });
  expect(now.shares).toEqual({ positive: 50, neutral: 0, negative: 50 });
  expect(before).toMatchObject({ posts: 1, net: -100 });
});

it("compare weights the last bucket of the earlier period", () => {
  const world = new World();
  // The last bucket of the earlier period counts half, because half of the current bucket has passed.
  for (let n = 0; n < 10; n += 1) world.add(makePost({ id: `p${n}`, at: NOW - 15 * MINUTE }));
  expect(comparison(world).before.posts).toBe(5);
});

it("empty bucket has no shares, newest bucket is unfinished", () => {
  const world = new World();
  world.add(makePost({ id: "a", at: NOW - 3 * MINUTE }));
  const { points } = comparison(world);
  expect(points.filter(({ positiveShare }) => positiveShare !== null)).toHaveLength(1);
  expect(points.map(({ unfinished }) => unfinished).lastIndexOf(false)).toBe(13);
  expect(points[0]).toMatchObject({ total: 0, confidence: null, net: null });
});

it("posts without a sentiment are in counts but not in shares", () => {
  const world = new World();
  world.add(makePost({ id: "a", at: NOW - MINUTE }));
  const window = windowOf({ range: "15m" }, NOW);
  const query = { period: "minute", start_date: new Date(window.start).toISOString() };
  const aggregate = world.aggregate(
    new URLSearchParams({ ...query, end_date: new Date(window.end).toISOString() }),
  );
  for (const bucket of aggregate.data) bucket.unscored_count = 2;
  const { now, points } = compare(aggregate, window, NOW);
  expect(now).toMatchObject({ all: 31, posts: 1, shares: { positive: 100 } });
  expect(points[0]).toMatchObject({ all: 2, total: 0, beforeData: false });
});

it("change from zero is null", () => {
  expect(relativeChange(5, 0)).toBeNull();
  expect(relativeChange(5, 4)).toBe(25);
  expect(difference(null, 3)).toBeNull();
  expect(difference(1, 3)).toBe(-2);
});

it("buckets before the first post are marked", () => {
  const world = new World();
  world.add(makePost({ id: "a", at: NOW - 3 * MINUTE }));
  const { points } = comparison(world);
  expect(points.filter(({ beforeData }) => beforeData)).toHaveLength(11);
  world.add(makePost({ id: "b", at: NOW - 20 * MINUTE }));
  expect(comparison(world).points.some(({ beforeData }) => beforeData)).toBe(false);
});
