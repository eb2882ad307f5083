import type { LivePost } from "@/live/post";
import type { Wire } from "@/live/socket";

/** A live post with defaults. */
export function livePost(id: string, part: Partial<LivePost> = {}): LivePost {
  const at = part.ingestedAt ?? part.createdAt ?? 0;
  return {
    id,
    content: `Post ${id}`,
    source: "web",
    author: "ada",
    sentiment: "positive",
    confidence: 0.9,
    emotion: "joy",
    createdAt: at,
    ingestedAt: at,
    ...part,
  };
}

/** A WebSocket that a test controls. */
export class FakeWire implements Wire {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: unknown[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  receive(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  drop(): void {
    this.onclose?.();
  }
}
