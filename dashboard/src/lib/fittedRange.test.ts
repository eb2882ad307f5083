import { describe, expect, it } from "vitest";
import { fittedRange } from "./fittedRange";
import { DAY, HOUR, MINUTE } from "./range";

describe("fitted range", () => {
  const now = Date.UTC(2026, 2, 1);
  const rangeFor = (first: number, last: number) =>
    fittedRange({ first: now - first, last: now - last }, now);

  it("range is an hour for new posts and a day for older ones", () => {
    expect(fittedRange(null, now)).toBe("1h");
    expect(rangeFor(10 * MINUTE, 0)).toBe("1h");
    expect(rangeFor(5 * HOUR, MINUTE)).toBe("24h");
    expect(rangeFor(7 * DAY, 0)).toBe("24h");
  });

  it("range reaches the newest post", () => {
    expect(rangeFor(3 * HOUR, 2 * HOUR)).toBe("24h");
    expect(rangeFor(9 * DAY, 2 * DAY)).toBe("7d");
    expect(rangeFor(90 * DAY, 20 * DAY)).toBe("30d");
    expect(rangeFor(900 * DAY, 400 * DAY)).toBe("30d");
  });
});
