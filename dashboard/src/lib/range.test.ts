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

  it("today is compared with the same hours of yesterday", () => {
    const window = windowOf({ range: "today" }, NOW);
    expect(new Date(window.start).getHours()).toBe(0);
    expect(window.live).toBe(true);
    expect(window.beforeEnd - window.before).toBe(window.end - window.start);
    expect(new Date(window.before).getDate()).toBe(9);
  });

  it("yesterday and previous week are whole and in the past", () => {
    const yesterday = windowOf({ range: "yesterday" }, NOW);
    expect(yesterday.live).toBe(false);
    expect(yesterday.end - yesterday.start).toBe(DAY);
    expect(yesterday.beforeEnd).toBe(yesterday.start);
    const week = windowOf({ range: "last-week" }, NOW);
    expect([week.start, week.end].map((time) => new Date(time).getDay())).toEqual([1, 1]);
    expect(week.end - week.start).toBe(7 * DAY);
  });

  it("custom range of many years is cut to the server's limit", () => {
    const { period, before, end } = windowOf({ from: "2000-01-01T00:00:00Z" }, NOW);
    expect(period).toBe("day");
    expect((end - before) / DAY).toBeLessThanOrEqual(5_000);
  });
});
