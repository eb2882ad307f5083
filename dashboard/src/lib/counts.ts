/** `part` of `total` in percent; 0 of nothing is 0. */
export function percentOf(part: number, total: number): number {
  return total === 0 ? 0 : (part * 100) / total;
}
