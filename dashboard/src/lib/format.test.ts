import { describe, expect, it } from "vitest";
import { ago, compact, duration, percent, plural, rate, score, signed } from "./format";

const NOW = Date.parse("2026-03-10T14:25:30Z");

describe("format", () => {
  it.each([
    [0, "0"],
    [9_999, "9,999"],
    [12_431, "12.4k"],
    [-20_000, "-20k"],
    [66_400_000, "66.4M"],
  ])("compact of %d is %s", (value, text) => {
    expect(compact(value)).toBe(text);
  });

  it("plural form depends on the count", () => {
    expect([plural(1, "post"), plural(2_431, "post")]).toEqual(["1 post", "2,431 posts"]);
  });

  it("signed value rounding to zero has no sign", () => {
    expect([signed(4.23), signed(-0.3), signed(0.04), signed(-0.04)]).toEqual(["+4.2", "−0.3", "0.0", "0.0"]);
  });

  it("missing value is a dash", () => {
    expect([percent(null), score(null), rate(null)]).toEqual(["–", "–", "–"]);
    expect([percent(12.345), score(0.867), rate(0.25), rate(12_345)]).toEqual([
      "12.3%",
      "0.87",
      "0.3/s",
      "12.3k/s",
    ]);
  });

  it("future time is shown as now", () => {
    expect(ago(NOW + 3_000, NOW)).toBe("now");
    expect(ago(NOW - 59_000, NOW)).toMatch(/^59\D/);
    expect(ago(NOW - 3_599_000, NOW)).toMatch(/^59\D/);
    expect(ago(NOW - 90_000_000, NOW)).toMatch(/^1\D/);
  });

  it("duration uses the largest fitting unit", () => {
    expect([0.42, 12, 119, 300, 7_300, 200_000].map(duration)).toEqual([
      "0.4 s",
      "12 s",
      "119 s",
      "5 min",
      "2 h",
      "2 d",
    ]);
  });
});
