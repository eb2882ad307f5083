/** Numbers and times in the viewer's locale and zone. */

import { timeFormat } from "./timeFormat";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const oneDigit = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const upToOne = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const relative = new Intl.RelativeTimeFormat(undefined, { style: "narrow", numeric: "always" });
const exactTime = timeFormat({ dateStyle: "medium", timeStyle: "long" });

const MISSING = "–";
/** The minus sign, which is as wide as a plus. */
const MINUS = "−";

/** "2,431". */
export function count(value: number): string {
  return whole.format(value);
}

/** "2,431" below 10,000, else "12.4k". */
export function compact(value: number): string {
  return Math.abs(value) < 10_000
    ? whole.format(value)
    : short
        .format(value)
        .replace("K", "k")
        .replace(/(\d)m$/, "$1M");
}

/** "1 post", "2,431 posts". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A share in [0, 100] as "12.3%", or a dash for `null`. */
export function percent(value: number | null): string {
  return value === null ? MISSING : `${oneDigit.format(value)}%`;
}

/** A score in [0, 1] as "0.87". */
export function score(value: number | null): string {
  return value === null ? MISSING : twoDigits.format(value);
}

/** A number with at most one digit after the point: "16", "14.5". */
export function decimal(value: number): string {
  return upToOne.format(value).replace("-", MINUS);
}

/** A rate per second as "12.3/s". */
export function rate(value: number | null | undefined): string {
  return value == null ? MISSING : `${value >= 100 ? compact(Math.round(value)) : upToOne.format(value)}/s`;
}

/** "+4.2", "−0.3", "0.0". */
export function signed(value: number): string {
  const text = oneDigit.format(Math.abs(value));
  if (Number(Math.abs(value).toFixed(1)) === 0) return text;
  return `${value > 0 ? "+" : MINUS}${text}`;
}

/** A duration in seconds as "12 ms", "0.4 s", "12 s", "3 min", "2 h", "4 d". */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.1) return `${whole.format(seconds * 1_000)} ms`;
  if (seconds < 10) return `${upToOne.format(seconds)} s`;
  if (seconds < 120) return `${whole.format(seconds)} s`;
  if (seconds < 7_200) return `${whole.format(seconds / 60)} min`;
  if (seconds < 172_800) return `${whole.format(seconds / 3_600)} h`;
  return `${whole.format(seconds / 86_400)} d`;
}

/** A duration of the API with a space: "5min" → "5 min". */
export function spaced(duration: string): string {
  return duration.replace(/(\d)([a-z])/g, "$1 $2");
}

/** The age of a time: "now", "12s ago", "3 min. ago". */
export function ago(time: string | number, now: number): string {
  const seconds = Math.round((now - new Date(time).getTime()) / 1_000);
  if (seconds < 5) return "now";
  if (seconds < 60) return relative.format(-seconds, "second");
  if (seconds < 3_600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86_400) return relative.format(-Math.floor(seconds / 3_600), "hour");
  return relative.format(-Math.floor(seconds / 86_400), "day");
}

/** The exact time in the viewer's zone, with the zone. */
export function exact(time: string | number): string {
  return exactTime.format(new Date(time));
}

/** The IANA name of the viewer's time zone. */
export function zone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
