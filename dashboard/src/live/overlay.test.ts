import { expect, it } from "vitest";
import { livePost } from "@/testing/live";
import { makePost, World } from "@/testing/world";
import { withArrivals } from "./overlay";
import { fromPost } from "./post";

const START = Date.parse("2026-03-01T12:00:00Z");
const MINUTE = 60_000;

function aggregateOf(world: World) {
  return world.aggregate(
    new URLSearchParams({
      period: "minute",
      start_date: new Date(START).toISOString(),
      end_date: new Date(START + 3 * MINUTE).toISOString(),
    }),
  );
}

it("arrivals are counted as the server counts them", () => {
  const early = [
    makePost({ id: "a", at: START + 5_000, sentiment: "negative", emotion: "anger", confidence: 0.5 }),
    makePost({ id: "b", at: START + MINUTE, confidence: 0.7 }),
  ];
  const late = [
    makePost({ id: "c", at: START + 6_000, sentiment: "neutral", emotion: "neutral", confidence: 0.6 }),
    makePost({ id: "d", at: START + 3 * MINUTE - 1 }),
    makePost({ id: "e", at: START + MINUTE + 1, sentiment: "negative", emotion: "fear" }),
  ];
  const before = new World();
  before.add(...early);
  const after = new World();
  after.add(...early, ...late);
  const live = withArrivals(aggregateOf(before), late.map(fromPost));
  const truth = aggregateOf(after);
  expect(rounded(live.data)).toEqual(rounded(truth.data));
  expect(rounded([live.summary])).toEqual(rounded([truth.summary]));
});

it("arrival outside the range changes nothing", () => {
  const world = new World();
  world.add(makePost({ id: "a", at: START }));
  const aggregate = aggregateOf(world);
  const outside = [livePost("x", { createdAt: START - 1 }), livePost("y", { createdAt: START + 3 * MINUTE })];
  expect(withArrivals(aggregate, outside)).toBe(aggregate);
  withArrivals(aggregate, [livePost("z", { createdAt: START })]);
  expect(aggregate.data[0]?.total_count).toBe(1);
});

it("post without a sentiment is counted beside the scored posts", () => {
  const world = new World();
  world.add(makePost({ id: "a", at: START }));
  const unscored = livePost("u", { createdAt: START, sentiment: null, emotion: null });
  const [bucket] = withArrivals(aggregateOf(world), [unscored]).data;
  expect(bucket).toMatchObject({ total_count: 1, unscored_count: 1, positive_percentage: 100 });
});

function rounded(rows: readonly object[]): unknown {
  return JSON.parse(JSON.stringify(rows), (_, value) =>
    typeof value === "number" ? Math.round(value * 1e9) / 1e9 : value,
  );
}
