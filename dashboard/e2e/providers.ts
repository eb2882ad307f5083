import { createHash } from "node:crypto";
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { MailServer } from "./mail-server";

/** The secrets that the providers accept. */
export const SECRETS = {
  json: "Bearer s3cret-k3y",
  github: "ghp_s3cret",
  reddit: "s3cret",
  youtube: "AIza-s3cret",
} as const;

/** The number of Bluesky events, and of new items of Hacker News per poll: as many as the test of a source reads. */
const MANY = 10;

interface Reply {
  status: number;
  body: string;
  type: string;
}

function json(value: unknown, status = 200): Reply {
  return { status, body: JSON.stringify(value), type: "application/json" };
}

/** Fakes of the providers of posts, on one port. Each fake follows the documentation of its provider. */
export class Providers {
  private readonly http: HttpServer;
  readonly mail = new MailServer();
  private readonly sockets = new Set<Duplex>();
  private readonly started = Date.now();
  /** The highest id of Hacker News, which grows with each poll. */
  private newest = 100;

  constructor() {
    this.http = createServer((request, response) => this.answer(request, response));
    // Bluesky's Jetstream.
    this.http.on("upgrade", (request, socket) => this.stream(request, socket));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.http.listen(0, "127.0.0.1", resolve);
    });
    await this.mail.start();
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy();
    this.http.closeAllConnections();
    this.http.close();
    this.mail.end();
  }

  get host(): string {
    return `127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** The settings of a server that reads these providers instead of the public ones. */
  get settings(): string[] {
    return [
      'outbound.allow=["127.0.0.1"]',
      `sources.bluesky.hosts=["ws://${this.host}/subscribe"]`,
      `sources.hackernews.url=${this.url}/v0/`,
      `sources.reddit.url=${this.url}/`,
      `sources.reddit.token_url=${this.url}/api/v1/access_token`,
      `sources.steam.url=${this.url}/`,
      `sources.youtube.url=${this.url}/youtube/v3/`,
    ];
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    const { authorization = "", "x-goog-api-key": key } = request.headers;
    const { status, body, type } =
      this.hackerNews(url.pathname) ??
      this.reddit(url.pathname, authorization) ??
      this.web(url.pathname) ??
      this.api(url, key === undefined ? authorization : String(key));
    response.writeHead(status, { "content-type": type });
    response.end(body);
  }

  private hackerNews(path: string): Reply | undefined {
    const item = /^\/v0\/item\/(\d+)\.json$/.exec(path)?.[1];
    if (item) return json(this.story(Number(item)));
    if (path === "/v0/updates.json") return json({ items: [], profiles: [] });
    if (path !== "/v0/maxitem.json") return undefined;
    this.newest += MANY;
    return json(this.newest);
  }

  private reddit(path: string, authorization: string): Reply | undefined {
    const refused = json({ message: "Unauthorized", error: 401 }, 401);
    if (path === "/api/v1/access_token") {
      const login = Buffer.from(`app:${SECRETS.reddit}`).toString("base64");
      const token = { access_token: "token", token_type: "bearer", expires_in: 3_600, scope: "*" };
      return authorization === `Basic ${login}` ? json(token) : refused;
    }
    if (path !== "/r/rust/new" && path !== "/r/rust/comments") return undefined;
    return authorization === "Bearer token" ? json(this.listing(path.endsWith("new"))) : refused;
  }

  /** Pages and feeds. */
  private web(path: string): Reply | undefined {
    if (path === "/blog") {
      const link = '<link rel="alternate" type="application/atom+xml" href="/blog.xml">';
      const body = `<html><head>${link}</head></html>`;
      return { status: 200, body, type: "text/html" };
    }
    const name = path === "/blog.xml" ? "blog" : COMMUNITIES.get(path);
    return name ? { status: 200, body: this.feed(name), type: "application/atom+xml" } : undefined;
  }

  /** The other APIs. `key` is the secret of the request. */
  private api({ pathname, searchParams }: URL, key: string): Reply {
    switch (pathname) {
      case "/api/v1/timelines/public":
        return json(searchParams.has("min_id") ? [] : [this.status()]);
      case "/appreviews/620":
        return json(this.reviews(searchParams.get("cursor") === "*"));
      case "/reviews":
        return key === SECRETS.json
          ? json([{ id: 1, body: "I love the JSON shop", user: { name: "ada" } }])
          : json({ error: "wrong key" }, 401);
      case "/repos/acme/phone/issues":
        return key === `Bearer ${SECRETS.github}`
          ? json([this.issue()])
          : json({ message: "Bad credentials" }, 401);
      case "/repos/acme/phone/issues/comments":
        return json([]);
      case "/youtube/v3/commentThreads":
        return key === SECRETS.youtube ? json(this.threads()) : json(wrongKey(), 400);
      default:
        return json({ error: "not found" }, 404);
    }
  }

  private get iso(): string {
    return new Date(this.started).toISOString();
  }

  private story(id: number): unknown {
    return {
      id,
      type: "comment",
      by: "ada",
      parent: 1,
      text: `I love Hacker News ${id}`,
      time: this.seconds,
    };
  }

  private get seconds(): number {
    return Math.floor(this.started / 1_000);
  }

  private status(): unknown {
    return {
      id: "1",
      created_at: this.iso,
      edited_at: null,
      in_reply_to_id: null,
      sensitive: false,
      spoiler_text: "",
      visibility: "public",
      language: "en",
      reblog: null,
      uri: `${this.url}/users/ada/statuses/1`,
      url: `${this.url}/@ada/1`,
      content: "<p>I love the Mastodon</p>",
      account: { id: "1", username: "ada", acct: "ada" },
      tags: [],
    };
  }

  private listing(isPosts: boolean): unknown {
    const data = {
      id: "p1",
      name: "t3_p1",
      author: "ada",
      created_utc: this.seconds,
      title: "I love the Reddit",
      selftext: "",
      permalink: "/r/rust/comments/p1/x/",
      subreddit: "rust",
    };
    return { kind: "Listing", data: { after: null, children: isPosts ? [{ kind: "t3", data }] : [] } };
  }

  private reviews(isFirst: boolean): unknown {
    const review = {
      recommendationid: "1",
      language: "english",
      review: "I love the game on Steam",
      author: { steamid: "76561197960287930" },
      timestamp_created: this.seconds,
      timestamp_updated: this.seconds,
      voted_up: true,
    };
    const reviews = isFirst ? [review] : [];
    return { success: 1, query_summary: { num_reviews: reviews.length }, reviews, cursor: "next" };
  }

  private issue(): unknown {
    return {
      id: 7_001,
      number: 1,
      title: "Screen",
      body: "I love GitHub",
      body_text: "I love GitHub",
      user: { login: "ada", id: 1 },
      html_url: "https://github.com/acme/phone/issues/1",
      created_at: this.iso,
      updated_at: this.iso,
      state: "open",
    };
  }

  private threads(): unknown {
    const snippet = {
      videoId: "dQw4w9WgXcQ",
      textDisplay: "I love YouTube",
      authorDisplayName: "@ada",
      likeCount: 0,
      publishedAt: this.iso,
      updatedAt: this.iso,
    };
    const comment = { kind: "youtube#comment", id: "c1", snippet };
    const thread = { topLevelComment: comment, totalReplyCount: 0, videoId: "dQw4w9WgXcQ" };
    return { items: [{ kind: "youtube#commentThread", id: "c1", snippet: thread }] };
  }

  private feed(name: string): string {
    const entry = `<entry><id>urn:${name}</id><title>I love the ${name}</title><updated>${this.iso}</updated><summary>It is wonderful</summary></entry>`;
    return `<feed xmlns="http://www.w3.org/2005/Atom"><title>${name}</title><id>urn:feed:${name}</id><updated>${this.iso}</updated>${entry}</feed>`;
  }

  /** Sends events over a WebSocket (RFC 6455). Frames of a server are not masked. */
  private stream(request: IncomingMessage, socket: Duplex): void {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.resume();
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    for (let index = 0; index < MANY; index++) socket.write(textFrame(JSON.stringify(this.event(index))));
  }

  private event(index: number): unknown {
    const now = Date.now();
    const record = {
      $type: "app.bsky.feed.post",
      createdAt: new Date(now).toISOString(),
      langs: ["en"],
      text: `I love the Bluesky ${index}`,
    };
    const collection = "app.bsky.feed.post";
    const rkey = `e${now}${index}`;
    const commit = { rev: "3l", operation: "create", collection, rkey, record, cid: "bafy" };
    return { did: "did:plc:ada", time_us: now * 1_000 + index, kind: "commit", commit };
  }
}

/** The feeds that recognised addresses of communities and shops lead to. */
const COMMUNITIES: ReadonlyMap<string, string> = new Map([
  ["/de/rss/customerreviews/page=1/id=284882215/sortby=mostrecent/xml", "App Store"],
  ["/feeds/c/rust.xml", "Lemmy"],
  ["/feeds/tag/rust", "Stack Overflow"],
  ["/c/support/5.rss", "Discourse"],
]);

function wrongKey(): unknown {
  const message = "API key not valid. Please pass a valid API key.";
  const error = { message, domain: "youtube", reason: "badRequest" };
  return { error: { code: 400, message, errors: [error] } };
}

/** A text frame of at most 65,535 bytes. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(126, 1);
  head.writeUInt16BE(payload.length, 2);
  // Payloads below 126 bytes must use the short form.
  return Buffer.concat([payload.length < 126 ? Buffer.from([0x81, payload.length]) : head, payload]);
}
