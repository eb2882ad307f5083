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

/** "Sat, Sun, all day", "Every day in December, 22:00–07:00 (next day)". */
export function intervalText(interval: MuteInterval): string {
  const { weekdays = [], from = "00:00", to = "00:00" } = interval;
  const week =
    weekdays.length === 0 || weekdays.length === 7 ? "Every day" : weekdays.map(dayName).join(", ");
  const days = `${week}${datesText(interval)}`;
  if (from === to || (from === "00:00" && to === "24:00")) return `${days}, all day`;
  return `${days}, ${from}–${to}${to < from ? " (next day)" : ""}`;
}

/** " in December, on 24–26 of the month, in 2026". */
function datesText({ months = [], days_of_month = [], years = [] }: MuteInterval): string {
  const list = (ranges: readonly string[]) => ranges.map((range) => range.replace(":", "–")).join(", ");
  const parts = [
    ...(months.length > 0 ? [`in ${list(months.map(capitalised))}`] : []),
    ...(days_of_month.length > 0 ? [`on ${list(days_of_month)} of the month`] : []),
    ...(years.length > 0 ? [`in ${list(years)}`] : []),
  ];
  return parts.length > 0 ? ` ${parts.join(", ")}` : "";
}

/** "may:august" → "May:August". */
function capitalised(months: string): string {
  return months.replace(/[a-z]+/g, (month) => month.charAt(0).toUpperCase() + month.slice(1));
}
