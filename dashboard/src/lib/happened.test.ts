import { describe, expect, it } from "vitest";
import { leadingSource, type Side, shareChange, turningPoint, volumeChange } from "./happened";
import type { Point } from "./metrics";

function side(positive: number, neutral: number, negative: number, anger = 0): Side {
  const emotions = { anger, disgust: 0, fear: 0, joy: 0, neutral: 0, sadness: 0, surprise: 0 };
  return { posts: positive + neutral + negative, counts: { positive, neutral, negative }, emotions };
}

describe("share change", () => {
  it("significant rise names label, shares and emotion", () => {
    expect(shareChange(side(5, 5, 90, 80), side(40, 26, 34, 10))).toEqual({
      label: "negative",
      before: 34,
      now: 90,
      emotion: "anger",
    });
  });

  it("noise and small samples are no change", () => {
    expect(shareChange(side(40, 24, 36), side(40, 26, 34))).toBeNull();
    expect(shareChange(side(0, 0, 20), side(20, 0, 0))).toBeNull();
    // Certain but too small to matter.
    expect(shareChange(side(40_000, 27_000, 33_000), side(40_000, 29_000, 31_000))).toBeNull();
  });
});

it("volume change needs a large and significant factor", () => {
  expect(volumeChange(side(0, 300, 0), side(0, 100, 0))).toEqual({ before: 100, now: 300 });
  expect(volumeChange(side(0, 120, 0), side(0, 100, 0))).toBeNull();
  expect(volumeChange(side(0, 40, 0), side(0, 0, 0))).toBeNull();
});

it("leading source explains most of the change", () => {
  const total = { now: side(20, 0, 80), before: side(80, 0, 20) };
  const sources = [
    { source: "twitter", now: side(5, 0, 75), before: side(40, 0, 10) },
    { source: "reddit", now: side(15, 0, 5), before: side(40, 0, 10) },
  ];
  expect(leadingSource("negative", total, sources)).toBe("twitter");
  expect(leadingSource("negative", total, sources.slice(0, 1))).toBeNull();
});

it("turning point is where the share changed", () => {
  const points = Array.from({ length: 20 }, (_, index) => ({
    time: index,
    total: 10,
    negative: index < 12 ? 2 : 9,
  })) as unknown as Point[];
  expect(turningPoint(points, "negative")).toBe(12);
  expect(turningPoint(points.slice(0, 10), "negative")).toBeNull();
});
