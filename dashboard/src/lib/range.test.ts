import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, windowOf } from "./range";

const NOW = Date.parse("2026-03-10T14:25:37.500Z");
const iso = (time: number) => new Date(time).toISOString();

describe("the window of time", () => {
  it("ends with the bucket that is not finished", () => {
    const window = windowOf({ range: "15m" }, NOW);
    expect(window).toMatchObject({ period: "minute", live: true });
    expect([iso(window.before), iso(window.start), iso(window.end)]).toEqual([
      "2026-03-10T13:56:00.000Z",
      "2026-03-10T14:11:00.000Z",
      "2026-03-10T14:26:00.000Z",
    ]);
  });

  it("shows one hour unless told otherwise", () => {
    const window = windowOf({}, NOW);
    expect(window.end - window.start).toBe(HOUR);
  });

  it("counts days from the viewer's midnight", () => {
    const window = windowOf({ range: "30d" }, NOW);
    expect(window.period).toBe("day");
    expect(new Date(window.start).getHours()).toBe(0);
    expect(new Date(window.end).getHours()).toBe(0);
    expect(Math.round((window.end - window.start) / DAY)).toBe(30);
  });

  it("takes bounds of one's own and is not live when they lie in the past", () => {
    const window = windowOf({ from: "2026-03-10T10:00:30Z", to: "2026-03-10T11:00:30Z" }, NOW);
    expect(window).toMatchObject({ period: "minute", live: false });
    expect(iso(window.start)).toBe("2026-03-10T10:00:00.000Z");
    expect(window.start - window.before).toBe(window.end - window.start);
  });

  it("goes on to now when no end is given", () => {
    const window = windowOf({ from: iso(NOW - 2 * HOUR) }, NOW);
    expect(window.live).toBe(true);
    expect(window.end).toBeGreaterThanOrEqual(NOW);
  });

  it("asks for minutes only while the server keeps them", () => {
    const old = windowOf({ from: iso(NOW - 9 * DAY), to: iso(NOW - 9 * DAY + 10 * MINUTE) }, NOW);
    expect(old.period).toBe("hour");
  });

  it("never asks for more buckets than the server gives", () => {
    for (const days of [1, 9, 11, 400, 2_000]) {
      const { period, before, end } = windowOf({ from: iso(NOW - days * DAY) }, NOW);
      const length = { minute: MINUTE, hour: HOUR, day: DAY }[period];
      expect((end - before) / length).toBeLessThanOrEqual(5_000);
    }
  });
});
