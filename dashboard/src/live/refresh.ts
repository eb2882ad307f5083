/**
 * Decides when to refetch totals: periodically while posts keep arriving, and once after the last post. The pause after
 * the last post is longer than the default `cache.ttl` of the server, so that the page shows the server's counts.
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
