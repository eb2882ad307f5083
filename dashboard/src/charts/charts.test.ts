import { describe, expect, it } from "vitest";
import type { Point } from "@/lib/metrics";
import { DAY, HOUR, MINUTE } from "@/lib/range";
import { niceTicks, niceTop, timeTicks } from "./axis";
import { spread } from "./labels";
import { endLabels, rowsOf } from "./series";

describe("axis", () => {
  it.each([
    [15 * MINUTE, 7],
    [HOUR, 7],
    [DAY, 7],
    [7 * DAY, 7],
    [30 * DAY, 7],
    [400 * DAY, 4],
  ])("ticks over %d ms are few and round", (span, most) => {
    const start = Date.parse("2026-03-10T14:25:00Z");
    const ticks = timeTicks(start, start + span, most);
    expect(ticks.length).toBeGreaterThanOrEqual(2);
    expect(ticks.length).toBeLessThanOrEqual(most + 1);
    for (const tick of ticks) expect(new Date(tick).getSeconds()).toBe(0);
  });

  it("axis top is a round even number", () => {
    expect([1, 2, 9, 11, 123, 950].map(niceTop)).toEqual([2, 2, 10, 12, 160, 1_000]);
  });
});

describe("end labels", () => {
  it("labels keep order and distance inside the plot", () => {
    expect(spread([50, 50, 10], 15, 0, 100)).toEqual([50, 65, 10]);
    expect(spread([100, 99, 98], 15, 0, 100)).toEqual([100, 85, 70]);
    expect(spread([], 15, 0, 100)).toEqual([]);
  });
});

describe("series", () => {
  it("line is dashed after the last finished bucket", () => {
    const point = (positive: number, unfinished: boolean) =>
      ({ positive, neutral: 0, negative: 0, unfinished }) as Point;
    const rows = rowsOf([point(1, false), point(2, false), point(3, true)]);
    expect(rows.map((row) => [row.positiveDone, row.positiveOpen])).toEqual([
      [1, undefined],
      [2, 2],
      [undefined, 3],
    ]);
    expect(rowsOf([point(1, false)]).map((row) => row.positiveOpen)).toEqual([undefined]);
  });
});

describe("line ends", () => {
  it("labels are at the last point, also in the unfinished bucket", () => {
    const point = (positive: number, unfinished: boolean) => ({ positive, unfinished }) as Point;
    const labels = endLabels([point(9, false), point(2, true)], ["positive"]);
    expect(labels[0]?.value).toBe(2);
  });

  it("buckets before the first post are not drawn", () => {
    const rows = rowsOf([
      { positive: 0, beforeData: true } as Point,
      { positive: 2, beforeData: false } as Point,
    ]);
    expect(rows.map((row) => row.positiveDone)).toEqual([undefined, 2]);
  });
});

describe("value ticks", () => {
  it("ticks are round and cover all values", () => {
    expect(niceTicks(0, 0.84)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(niceTicks(-0.5, 0.4)).toEqual([-0.6, -0.4, -0.2, 0, 0.2, 0.4]);
    expect(niceTicks(0, 50)).toEqual([0, 20, 40, 60]);
    expect(niceTicks(0, 0)).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });
});
