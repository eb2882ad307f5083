import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, windowOf } from "./range";

const NOW = Date.parse("2026-03-10T14:25:37.500Z");
const iso = (time: number) => new Date(time).toISOString();

describe("windowOf", () => {
  it("preset range ends with the unfinished bucket", () => {
    const window = windowOf({ range: "15m" }, NOW);
    expect(window).toMatchObject({ period: "minute", live: true });
    expect([iso(window.before), iso(window.start), iso(window.end)]).toEqual([
      "2026-03-10T13:56:00.000Z",
      "2026-03-10T14:11:00.000Z",
      "2026-03-10T14:26:00.000Z",
    ]);
  });

  it("no range shows one hour", () => {
    const window = windowOf({}, NOW);
    expect(window.end - window.start).toBe(HOUR);
  });

  it("day buckets start at local midnight", () => {
    const window = windowOf({ range: "30d" }, NOW);
    expect(window.period).toBe("day");
    expect(new Date(window.start).getHours()).toBe(0);
    expect(new Date(window.end).getHours()).toBe(0);
    expect(Math.round((window.end - window.start) / DAY)).toBe(30);
  });

  it("custom bounds in the past are not live", () => {
    const window = windowOf({ from: "2026-03-10T10:00:30Z", to: "2026-03-10T11:00:30Z" }, NOW);
    expect(window).toMatchObject({ period: "minute", live: false });
    expect(iso(window.start)).toBe("2026-03-10T10:00:00.000Z");
    expect(window.start - window.before).toBe(window.end - window.start);
  });

  it("custom range without end is live", () => {
    const window = windowOf({ from: iso(NOW - 2 * HOUR) }, NOW);
    expect(window.live).toBe(true);
    expect(window.end).toBeGreaterThanOrEqual(NOW);
  });

  it("old range uses hours instead of minutes", () => {
    const old = windowOf({ from: iso(NOW - 9 * DAY), to: iso(NOW - 9 * DAY + 10 * MINUTE) }, NOW);
    expect(old.period).toBe("hour");
  });

  it("long range stays within 5000 buckets", () => {
    for (const days of [1, 9, 11, 400, 2_000]) {
      const { period, before, end } = windowOf({ from: iso(NOW - days * DAY) }, NOW);
      const length = { minute: MINUTE, hour: HOUR, day: DAY }[period];
      expect((end - before) / length).toBeLessThanOrEqual(5_000);
    }
  });
});
