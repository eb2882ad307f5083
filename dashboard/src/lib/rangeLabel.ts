import { isCalendarKey, rangeName } from "./range";
import { DEFAULT_RANGE, type Search } from "./search";
import { timeFormat } from "./timeFormat";

const day = timeFormat({
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
});

/** The chosen period in words. */
export function rangeLabel({ range, from, to }: Search): string {
  if (!from) {
    const key = range ?? DEFAULT_RANGE;
    return isCalendarKey(key) ? rangeName(key).toLowerCase() : `last ${rangeName(key)}`;
  }
  return to ? day.formatRange(new Date(from), new Date(to)) : `since ${day.format(new Date(from))}`;
}
