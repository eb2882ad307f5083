import type { PostsQuery } from "@/api/endpoints";
import type { Alert, LiveFrame, Metrics, PostPage } from "@/api/types";
import { addPosts, emptyFeed, type Feed, removePosts, unseen } from "./feed";
import { fetchMissed } from "./gap";
import type { Arrival } from "./overlay";
import { fromEvent, type LiveFilter, type LivePost, matches, seenBy } from "./post";
import { type Connection, LiveSocket, type Wire } from "./socket";

/** The minimum interval between updates of the feed. */
const FLUSH_MS = 250;
/** A larger batch means that the tab was suspended. The missing posts are then read from the API. */
const BUFFER_LIMIT = 2_000;
/** The minimum interval between updates of totals and charts. */
const TOTALS_MS = 1_000;
/** Arrivals are kept for longer than any request takes. */
const ARRIVAL_MS = 30_000;
const ARRIVAL_LIMIT = 6_000;
/** The delay before missed posts are read again after an error. */
const RETRY_MS = 3_000;

export interface LiveState {
  connection: Connection;
  feed: Feed;
  /** Whether the first page was read. */
  loaded: boolean;
  /** The error of the last read, or `null`. */
  error: unknown;
  arrivals: readonly Arrival[];
  metrics: Metrics | null;
}

export interface LiveEvents {
  /** Posts were added or removed, so totals have changed. */
  onChange(): void;
  onAlert(alert: Alert): void;
  onDeleted(ids: readonly string[]): void;
  /** Events were missed, so everything on the page may be out of date. */
  onGap(): void;
}

export interface LiveOptions {
  open: () => Wire;
  fetchPage: (query: PostsQuery) => Promise<PostPage>;
  events: LiveEvents;
  isOnline?: () => boolean;
}

/** The live state: the connection, the feed and the newest live posts, which are added to totals. */
export class LiveStore {
  private state: LiveState = {
    connection: "connecting",
    feed: emptyFeed(),
    loaded: false,
    error: null,
    arrivals: [],
    metrics: null,
  };
  private readonly listeners = new Set<() => void>();
  private readonly socket: LiveSocket;
  private filter: LiveFilter = {};
  private buffer: LivePost[] = [];
  private deleted: string[] = [];
  private counted: LivePost[] = [];
  private countedAt = 0;
  private totalsTimer: ReturnType<typeof setTimeout> | undefined;
  private overflowed = false;
  private running = false;
  private flushTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Incremented to invalidate responses of earlier syncs. */
  private epoch = 0;
  private syncing = false;
  private syncAgain = false;

  constructor(private readonly options: LiveOptions) {
    this.socket = new LiveSocket({
      open: options.open,
      onFrame: (frame) => this.receive(frame),
      onConnection: (connection) => this.connection(connection),
      ...(options.isOnline ? { isOnline: options.isOnline } : {}),
    });
  }

  start(): void {
    this.running = true;
    this.socket.restart();
    void this.sync();
  }

  stop(): void {
    this.running = false;
    this.epoch += 1;
    this.socket.stop();
    clearTimeout(this.flushTimer);
    clearTimeout(this.retryTimer);
    clearTimeout(this.totalsTimer);
    this.flushTimer = undefined;
    this.totalsTimer = undefined;
  }

  /** Sets the filter and resets the feed. */
  setFilter(filter: LiveFilter): void {
    if (sameFilter(filter, this.filter)) return;
    this.filter = filter;
    this.epoch += 1;
    this.buffer = [];
    this.counted = [];
    this.set({ feed: emptyFeed(), loaded: false, error: null, arrivals: [] });
    this.socket.subscribe(subscription(filter));
    // A stopped store reads its posts in `start`.
    if (this.running) void this.sync();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): LiveState => this.state;

  /** Reads missed posts. Calls during a running sync are merged into one further sync. */
  async sync(): Promise<void> {
    if (this.syncing) {
      this.syncAgain = true;
      return;
    }
    this.syncing = true;
    clearTimeout(this.retryTimer);
    const epoch = this.epoch;
    try {
      const posts = await fetchMissed(this.state.feed.newest, this.filter, this.options.fetchPage);
      if (epoch === this.epoch) this.take(posts);
    } catch (error) {
      if (epoch === this.epoch) {
        this.set({ error });
        this.retryTimer = setTimeout(() => void this.sync(), RETRY_MS);
      }
    } finally {
      this.syncing = false;
      if (this.running && (this.syncAgain || epoch !== this.epoch)) {
        this.syncAgain = false;
        void this.sync();
      }
    }
  }

  private receive(frame: LiveFrame): void {
    switch (frame.type) {
      case "connected":
        this.missed();
        break;
      case "lagged":
        this.missed();
        break;
      case "post":
        this.addPost(seenBy(fromEvent(frame.data), this.filter));
        break;
      case "post_deleted":
        this.deleted.push(frame.data.post_id);
        this.flushSoon();
        break;
      case "alert":
        this.options.events.onAlert(frame.data);
        break;
      case "metrics_update":
        this.set({ metrics: frame.data });
        break;
      default:
        break;
    }
  }

  private take(posts: readonly LivePost[]): void {
    const { feed } = this.state;
    this.set({ feed: addPosts(feed, unseen(feed, posts)), loaded: true, error: null });
  }

  private missed(): void {
    void this.sync();
    this.options.events.onGap();
  }

  private addPost(post: LivePost): void {
    if (!matches(post, this.filter)) return;
    if (this.buffer.length >= BUFFER_LIMIT) this.overflowed = true;
    else this.buffer.push(post);
    this.flushSoon();
  }

  private flushSoon(): void {
    this.flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  private flush(): void {
    this.flushTimer = undefined;
    const { feed: before } = this.state;
    const fresh = unseen(before, this.buffer);
    // Minimum confidence applies to the feed, not to totals.
    const { min = 0 } = this.filter;
    const added = addPosts(
      before,
      fresh.filter(({ confidence }) => (confidence ?? 0) >= min),
    );
    const feed = this.deleted.length ? removePosts(added, this.deleted) : added;
    if (this.deleted.length) this.options.events.onDeleted(this.deleted);
    if (this.buffer.length || this.deleted.length) this.options.events.onChange();
    this.counted.push(...fresh);
    this.buffer = [];
    this.deleted = [];
    this.set({ feed });
    this.countSoon();
    if (this.overflowed) {
      this.overflowed = false;
      this.missed();
    }
  }

  /** Publishes new posts to the totals, at most once per interval. */
  private countSoon(): void {
    if (this.counted.length === 0 || this.totalsTimer !== undefined) return;
    const pause = Math.max(0, this.countedAt + TOTALS_MS - Date.now());
    if (pause === 0) this.count();
    else this.totalsTimer = setTimeout(() => this.count(), pause);
  }

  private count(): void {
    this.totalsTimer = undefined;
    this.countedAt = Date.now();
    const arrivals = recent(this.state.arrivals, this.counted);
    this.counted = [];
    this.set({ arrivals });
  }

  private connection(connection: Connection): void {
    this.set({ connection });
  }

  private set(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

function recent(arrivals: readonly Arrival[], fresh: readonly LivePost[]): Arrival[] {
  const at = Date.now();
  const kept = arrivals.filter((arrival) => arrival.at > at - ARRIVAL_MS);
  return [...kept, ...fresh.map((post) => ({ post, at }))].slice(-ARRIVAL_LIMIT);
}

function sameFilter(a: LiveFilter, b: LiveFilter): boolean {
  return (["topic", "sentiment_of", "source", "sentiment", "emotion", "author", "min", "q"] as const).every(
    (key) => a[key] === b[key],
  );
}

/**
 * The filter for the server. With `sentiment_of=post` and a topic, the sentiment is left out, because the server
 * filters by the sentiment towards the topic.
 */
function subscription(filter: LiveFilter): LiveFilter {
  const isOfPost = filter.topic !== undefined && filter.sentiment_of === "post";
  return isOfPost ? { ...filter, sentiment: undefined } : filter;
}
