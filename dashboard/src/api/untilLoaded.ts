/** The interval between refetches, in milliseconds, for data that does not change: only missing data is fetched again. */
export function untilLoaded({ state }: { state: { data?: unknown } }): number | false {
  return state.data ? false : 30_000;
}
