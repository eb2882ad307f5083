/**
 * Decides when to refetch totals while posts arrive: periodically during a flow, and once after it ends. The
 * pause after the last post is longer than the server's cache, so that the page shows the server's counts.
 */
export class RefreshTimer {
  private last: number;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly refresh: () => void,
    private readonly quietMs = 2_500,
    private readonly atMostMs = 10_000,
  ) {
    this.last = Date.now();
  }

  /** Reports a change on the server. */
  touch(): void {
    if (Date.now() - this.last >= this.atMostMs) this.fire();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fire(), this.quietMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private fire(): void {
    this.last = Date.now();
    this.refresh();
  }
}
