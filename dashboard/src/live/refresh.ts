/**
 * Says when to read the totals again while posts come in: now and then during a flow, and once after it
 * has ended, later than the server's answers are cached, so that what is on screen is what the server counts.
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

  /** Something changed on the server. */
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
