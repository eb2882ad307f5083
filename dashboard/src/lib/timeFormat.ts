/** Formats times, and spans of two times. */
export interface TimeFormat {
  format(time: number | Date): string;
  formatRange(start: number | Date, end: number | Date): string;
}

/** A format in the viewer's locale and zone. A line never breaks inside the time of day: "11:10 PM", "11:10 GMT+1". */
export function timeFormat(options: Intl.DateTimeFormatOptions, locale?: string): TimeFormat {
  const intl = new Intl.DateTimeFormat(locale, options);
  return {
    format: (time) => textOf(intl.formatToParts(time)),
    formatRange: (start, end) => textOf(intl.formatRangeToParts(start, end)),
  };
}

/** The parts of a time that must not be separated from the time of day by a line break. */
const ATTACHED: ReadonlySet<string> = new Set(["dayPeriod", "timeZoneName"]);

const NO_BREAK_SPACE = "\u00A0";

function textOf(parts: readonly Intl.DateTimeFormatPart[]): string {
  const isAttached = (at: number) => ATTACHED.has(parts[at]?.type ?? "");
  return parts
    .map(({ value }, at) =>
      value.trim() === "" && (isAttached(at - 1) || isAttached(at + 1)) ? NO_BREAK_SPACE : value,
    )
    .join("");
}
