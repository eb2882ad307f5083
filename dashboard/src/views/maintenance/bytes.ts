const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
const format = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

/** A number of bytes: "640 B", "1.4 MiB". */
export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  while (rest >= 1_024 && unit < UNITS.length - 1) {
    rest /= 1_024;
    unit += 1;
  }
  return `${format.format(rest)} ${UNITS[unit]}`;
}
