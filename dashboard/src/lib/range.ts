import type { Period } from "@/api/types";
import { type CalendarKey, DEFAULT_RANGE, type RangeKey, type Search } from "./search";

/** A period in buckets, and an earlier period of the same length. Times are in milliseconds. */
export interface TimeWindow {
  period: Period;
  start: number;
  end: number;
  /** The bounds of the earlier period, which this period is compared with. */
  before: number;
  beforeEnd: number;
  /** The period ends now, so live posts belong to it. */
  live: boolean;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** By default the server keeps minute buckets for eight days. One day is the margin for clock differences. */
const MINUTES_KEPT = 7 * DAY;

/** The maximum number of day buckets. The server accepts 5,000 buckets for both periods together. */
const MOST_DAYS = 2_400;

const PRESETS: Record<Exclude<RangeKey, CalendarKey>, { period: Period; buckets: number; name: string }> = {
  "15m": { period: "minute", buckets: 15, name: "15 min" },
  "1h": { period: "minute", buckets: 60, name: "1 h" },
  "24h": { period: "hour", buckets: 24, name: "24 h" },
  "7d": { period: "hour", buckets: 168, name: "7 d" },
  "30d": { period: "day", buckets: 30, name: "30 d" },
};
const CALENDAR_NAMES: Record<CalendarKey, string> = {
  today: "Today",
  yesterday: "Yesterday",
  "last-week": "Previous week",
};

/** The window that a search shows, at the time `now`. */
export function windowOf(search: Pick<Search, "range" | "from" | "to">, now: number): TimeWindow {
  if (search.from)
    return customWindow(Date.parse(search.from), search.to ? Date.parse(search.to) : null, now);
  const key = search.range ?? DEFAULT_RANGE;
  if (isCalendarKey(key)) return calendarWindow(key, now);
  const { period, buckets } = PRESETS[key];
  const end = ceil(now, period);
  const start = back(end, period, buckets);
  return { period, start, end, before: back(end, period, 2 * buckets), beforeEnd: start, live: true };
}

/** The name of a preset: "1 h", "Today". */
export function rangeName(key: RangeKey): string {
  return isCalendarKey(key) ? CALENDAR_NAMES[key] : PRESETS[key].name;
}

export function isCalendarKey(key: RangeKey): key is CalendarKey {
  return key in CALENDAR_NAMES;
}

/** Today is compared with the same hours of yesterday, a day with the day before, a week with the week before. */
function calendarWindow(key: CalendarKey, now: number): TimeWindow {
  const today = floor(now, "day");
  if (key === "today") {
    const end = ceil(Math.max(now, today + 1), "hour");
    const before = back(today, "day", 1);
    return { period: "hour", start: today, end, before, beforeEnd: before + (end - today), live: true };
  }
  if (key === "yesterday") {
    const start = back(today, "day", 1);
    const before = back(today, "day", 2);
    return { period: "hour", start, end: today, before, beforeEnd: start, live: false };
  }
  // Weeks begin on Monday.
  const monday = back(today, "day", (new Date(today).getDay() + 6) % 7);
  const start = back(monday, "day", 7);
  return {
    period: "hour",
    start,
    end: monday,
    before: back(monday, "day", 14),
    beforeEnd: start,
    live: false,
  };
}

/** The length of a bucket. A day counts as 24 hours. */
export function bucketLength(period: Period): number {
  return { minute: MINUTE, hour: HOUR, day: DAY }[period];
}

/** The start of the bucket that contains `time`. Days begin at the viewer's midnight, hours at the UTC hour. */
export function floor(time: number, period: Period): number {
  if (period !== "day") return time - (time % bucketLength(period));
  return new Date(time).setHours(0, 0, 0, 0);
}

/** The first bucket boundary at or after `time`. */
export function ceil(time: number, period: Period): number {
  const start = floor(time, period);
  if (start === time) return time;
  if (period !== "day") return start + bucketLength(period);
  return back(start, "day", -1);
}

/** The start of the bucket that is `buckets` earlier. A day may have 23 or 25 hours. */
function back(time: number, period: Period, buckets: number): number {
  if (period !== "day") return time - buckets * bucketLength(period);
  const date = new Date(time);
  date.setDate(date.getDate() - buckets);
  return date.getTime();
}

function customWindow(wanted: number, to: number | null, now: number): TimeWindow {
  const until = Math.min(to ?? now, Math.max(now, wanted + MINUTE));
  const from = Math.max(wanted, until - MOST_DAYS * DAY);
  const span = Math.max(until - from, MINUTE);
  const period = customPeriod(span, from - span, now);
  const start = floor(from, period);
  const end = ceil(from + span, period);
  return { period, start, end, before: start - (end - start), beforeEnd: start, live: end >= now };
}

function customPeriod(span: number, oldest: number, now: number): Period {
  if (span <= 3 * HOUR && now - oldest < MINUTES_KEPT) return "minute";
  return span <= 10 * DAY ? "hour" : "day";
}
