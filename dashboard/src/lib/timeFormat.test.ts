import { describe, expect, it } from "vitest";
import { timeFormat } from "./timeFormat";

const NIGHT = Date.UTC(2026, 2, 10, 23, 10);
const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: true, timeZone: "UTC" } as const;

describe("time format", () => {
  it("12-hour time contains only non-breaking spaces", () => {
    expect(timeFormat(CLOCK, "en-US").format(NIGHT)).toBe("11:10\u00A0PM");
    expect(timeFormat(CLOCK, "ko-KR").format(NIGHT)).toMatch(/^\S+\u00A011:10$/);
  });

  it("time zone stays on the line of its time", () => {
    const format = timeFormat({ ...CLOCK, timeZoneName: "short" }, "en-US");
    expect(format.format(NIGHT)).toBe("11:10\u00A0PM\u00A0UTC");
  });

  it("range breaks between its two times only", () => {
    const text = timeFormat(CLOCK, "en-US").formatRange(NIGHT, NIGHT + 7_200_000);
    expect(text.replace(/\u00A0[AP]M/g, "")).not.toMatch(/[AP]M/);
    expect(text).toMatch(/11:10\u00A0PM\s–\s/);
  });

  it("date with a 24-hour time keeps its spaces", () => {
    const options = { ...CLOCK, hour12: false, day: "numeric", month: "short" } as const;
    expect(timeFormat(options, "en-GB").format(NIGHT)).toBe("10 Mar, 23:10");
  });
});
