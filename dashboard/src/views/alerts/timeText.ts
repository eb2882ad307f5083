const moment = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** Two moments in one text, with the zone. */
export function spanText(start: string, end: string): string {
  return moment.formatRange(new Date(start), new Date(end));
}
