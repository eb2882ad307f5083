import type { Period } from "@/api/types";
import { DAY, HOUR, MINUTE } from "@/lib/range";
import { timeFormat } from "@/lib/timeFormat";

const STEPS = [1, 2, 3, 5, 10, 15, 30]
  .map((n) => n * MINUTE)
  .concat([1, 2, 3, 4, 6, 12].map((n) => n * HOUR));

const clock = timeFormat({ hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const minuteSpan = timeFormat({
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const hourSpan = timeFormat({
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});
const daySpan = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** At most `most` round local times from `start` to `end`. */
export function timeTicks(start: number, end: number, most = 7): number[] {
  const span = end - start;
  const step = STEPS.find((candidate) => span / candidate <= most);
  return step ? clockTicks(start, end, step) : dayTicks(start, end, Math.ceil(span / DAY / most));
}

/** Formats a tick: the time of day for ranges of about one day, else the date. */
export function tickText(time: number, span: number): string {
  if (span <= 1.5 * DAY) return clock.format(time);
  return span <= 8 * DAY ? weekday.format(time) : date.format(time);
}

/** A round, even number at or above the value, for an axis with a tick in the middle. */
export function niceTop(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 2)));
  const step = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8].find((top) => top * unit >= value && (top * unit) % 2 === 0);
  return (step ?? 10) * unit;
}

/** Four to seven round values that cover `least` to `most`. */
export function niceTicks(least: number, most: number): number[] {
  const span = most - least || 1;
  const unit = 10 ** Math.floor(Math.log10(span));
  const step = ([0.2, 0.25, 0.5, 1, 2].find((part) => span / (part * unit) <= 4.5) ?? 2) * unit;
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil((least + span) / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** The time of a bucket: the date of a day, or a time with the time zone. */
export function bucketText(start: number, end: number, period: Period): string {
  if (period === "minute") return minuteSpan.format(start);
  if (period === "hour") return hourSpan.formatRange(start, end);
  return daySpan.format(start);
}

function clockTicks(start: number, end: number, step: number): number[] {
  // Rounds in local time, so that six-hour steps include the viewer's midnight.
  const offset = new Date(start).getTimezoneOffset() * MINUTE;
  const ticks: number[] = [];
  for (let tick = Math.ceil((start - offset) / step) * step + offset; tick < end; tick += step)
    ticks.push(tick);
  return ticks;
}

function dayTicks(start: number, end: number, days: number): number[] {
  const day = new Date(start);
  day.setHours(0, 0, 0, 0);
  const ticks: number[] = [];
  for (; day.getTime() < end; day.setDate(day.getDate() + days)) {
    if (day.getTime() >= start) ticks.push(day.getTime());
  }
  return ticks;
}
