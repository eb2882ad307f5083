/** `part` of `total` in percent, or 0 when `total` is 0. */
export function percentOf(part: number, total: number): number {
  return total === 0 ? 0 : (part * 100) / total;
}
