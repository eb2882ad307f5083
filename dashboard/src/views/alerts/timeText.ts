import { timeFormat } from "@/lib/timeFormat";

const moment = timeFormat({
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** A time range with the zone. */
export function spanText(start: string, end: string): string {
  return moment.formatRange(new Date(start), new Date(end));
}
