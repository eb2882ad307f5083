import type { LiveFrame } from "@/api/types";
import type { LiveFilter } from "./post";

export type Connection = "connecting" | "live" | "reconnecting" | "offline";

/** The part of a WebSocket that the client uses. */
export interface Wire {
  send(text: string): void;
  close(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

export interface SocketOptions {
  open: () => Wire;
  onFrame: (frame: LiveFrame) => void;
  onConnection: (connection: Connection) => void;
  isOnline?: () => boolean;
  random?: () => number;
}

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
/** A server that is silent for this long gets a ping. */
const QUIET_MS = 20_000;
/** The connection is dropped when no frame arrives within this time after a ping or after connecting. */
const ANSWER_MS = 10_000;

/** A WebSocket that reconnects with exponential backoff and jitter, and that detects dead connections. */
export class LiveSocket {
  private wire: Wire | null = null;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setTimeout> | undefined;
  private filter: LiveFilter = {};
  private open = false;

  constructor(private readonly options: SocketOptions) {}

  start(): void {
    this.stop();
    if (this.options.isOnline && !this.options.isOnline()) {
      this.options.onConnection("offline");
      return;
    }
    this.options.onConnection(this.failures === 0 ? "connecting" : "reconnecting");
    let wire: Wire;
    try {
      wire = this.options.open();
    } catch {
      // The token has characters that are not allowed in a subprotocol. The REST API reports the error.
      this.retryLater();
      return;
    }
    this.wire = wire;
    wire.onmessage = ({ data }) => this.receive(data);
    wire.onclose = () => this.lose(wire);
    this.expect(ANSWER_MS, () => this.lose(wire));
  }

  /** Closes the connection until the next `start`. */
  stop(): void {
    clearTimeout(this.retry);
    clearTimeout(this.watch);
    this.open = false;
    const wire = this.wire;
    this.wire = null;
    if (!wire) return;
    wire.onmessage = null;
    wire.onclose = null;
    wire.close();
  }

  /** Connects immediately, for example when the network is back or the token changed. */
  restart(): void {
    this.failures = 0;
    this.start();
  }

  /** Sets the filter of the posts that the server sends. */
  subscribe(filter: LiveFilter): void {
    this.filter = filter;
    if (this.open) this.sendFilter();
  }

  private receive(data: unknown): void {
    const frame = parseFrame(data);
    if (!frame) return;
    this.expect(QUIET_MS, () => this.ask());
    if (frame.type === "connected") {
      this.failures = 0;
      this.open = true;
      this.sendFilter();
      this.options.onConnection("live");
    }
    this.options.onFrame(frame);
  }

  private ask(): void {
    const wire = this.wire;
    if (!wire) return;
    wire.send(JSON.stringify({ type: "ping" }));
    this.expect(ANSWER_MS, () => this.lose(wire));
  }

  private lose(wire: Wire): void {
    if (wire !== this.wire) return;
    this.stop();
    this.retryLater();
  }

  private retryLater(): void {
    const delay = retryDelay(this.failures, this.options.random ?? Math.random);
    this.failures += 1;
    this.options.onConnection("reconnecting");
    this.retry = setTimeout(() => this.start(), delay);
  }

  private expect(milliseconds: number, otherwise: () => void): void {
    clearTimeout(this.watch);
    this.watch = setTimeout(otherwise, milliseconds);
  }

  private sendFilter(): void {
    const { topic, source, sentiment, emotion } = this.filter;
    this.wire?.send(JSON.stringify({ type: "subscribe", filters: { topic, source, sentiment, emotion } }));
  }
}

/** The delay of a reconnect. It doubles with each failure up to a limit. Half of it is random, to spread reconnects. */
export function retryDelay(failures: number, random: () => number): number {
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
  return longest * (0.5 + random() / 2);
}

function parseFrame(data: unknown): LiveFrame | null {
  if (typeof data !== "string") return null;
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as LiveFrame) : null;
  } catch {
    return null;
  }
}
