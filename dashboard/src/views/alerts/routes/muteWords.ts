import type { MuteInterval, Weekday } from "@/api/types";

/** The API's names of the days of the week. */
export const WEEKDAYS: readonly Weekday[] = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
];

const short = new Intl.DateTimeFormat(undefined, { weekday: "short", timeZone: "UTC" });

/** "Mon", in the viewer's language. */
export function dayName(day: Weekday): string {
  // 5 January 1970 was a Monday.
  return short.format(Date.UTC(1970, 0, 5 + WEEKDAYS.indexOf(day)));
}

/** "Sat, Sun, all day", "Every day, 22:00–07:00 (next day)". */
export function intervalText({ weekdays = [], from = "00:00", to = "00:00" }: MuteInterval): string {
  const days =
    weekdays.length === 0 || weekdays.length === 7 ? "Every day" : weekdays.map(dayName).join(", ");
  if (from === to || (from === "00:00" && to === "24:00")) return `${days}, all day`;
  return `${days}, ${from}–${to}${to < from ? " (next day)" : ""}`;
}
