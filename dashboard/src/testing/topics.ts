import type {
  ScoredPost,
  Sentiment,
  Topic,
  TopicChange,
  TopicDraft,
  TopicPreview,
  TopicShares,
} from "@/api/types";
import { percentOf } from "@/lib/counts";
import { SENTIMENTS } from "@/lib/labels";
import { bucketLength } from "@/lib/range";
import { type Answer, iso } from "./answer";

/** The topics of a world. A topic matches posts that contain its query. An opening bracket is a syntax error. */
export class TopicWorld {
  topics: Topic[] = [];

  constructor(private readonly posts: () => ScoredPost[]) {}

  add(name: string, query: string, part: Partial<Topic> = {}): void {
    const now = iso(Date.now());
    this.topics.push({
      name,
      query,
      description: "",
      origin: "api",
      revision: 1,
      created_at: now,
      updated_at: now,
      backfill: { running: false, progress: 100 },
      posts: measure(this.about(query)),
      ...part,
    });
  }

  /** Whether a topic matches a post. */
  matches(name: string, post: ScoredPost): boolean {
    const query = this.topics.find((topic) => topic.name === name)?.query;
    return query !== undefined && post.content.toLowerCase().includes(query.toLowerCase());
  }

  /** Answers requests below `/api/topics`. Returns `undefined` for other paths. */
  answer(method: string, url: URL, body: unknown): Answer | undefined {
    const [, name] = /^\/api\/topics(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (!url.pathname.startsWith("/api/topics")) return undefined;
    if (name === "preview") return this.preview((body as TopicDraft).query);
    if (name === "share") return { status: 200, json: this.share(url.searchParams) };
    if (method === "GET") return { status: 200, json: { topics: this.topics, total: this.topics.length } };
    if (method === "DELETE") {
      this.topics = this.topics.filter((topic) => topic.name !== name);
      return { status: 204 };
    }
    const draft = body as TopicDraft & TopicChange;
    const added = name ?? draft.name;
    this.topics = this.topics.filter((topic) => topic.name !== added);
    this.add(added, draft.query, { description: draft.description ?? "" });
    return { status: 201, json: this.topics.at(-1) };
  }

  private preview(query: string): Answer {
    const bracket = Array.from(query).indexOf("(");
    if (bracket >= 0) {
      const message = `at character ${bracket + 1}: this bracket is never closed`;
      const json = { title: "Invalid", status: 422, detail: message, errors: [{ field: "query", message }] };
      return { status: 422, json };
    }
    const matched = this.about(query);
    const scanned = this.posts().length;
    const json: TopicPreview = {
      scanned,
      matched: measure(matched),
      percentage: percentOf(matched.length, scanned),
      examples: matched.slice(0, 8),
    };
    return { status: 200, json };
  }

  private share(params: URLSearchParams): TopicShares {
    const start = Date.parse(params.get("start_date") ?? "");
    const end = Date.parse(params.get("end_date") ?? "");
    const inside = (post: ScoredPost, from: number, to: number) =>
      Date.parse(post.created_at) >= from && Date.parse(post.created_at) < to;
    const parts = this.topics.map(({ name, query }) => ({
      name,
      posts: this.about(query).filter((post) => inside(post, start, end)),
    }));
    const mentions = parts.reduce((sum, { posts }) => sum + posts.length, 0);
    const length = bucketLength((params.get("period") ?? "hour") as "minute" | "hour" | "day");
    const starts: number[] = [];
    for (let time = start; params.get("period") && time < end; time += length) starts.push(time);
    return {
      start_date: iso(start),
      end_date: iso(end),
      total_posts: this.posts().filter((post) => inside(post, start, end)).length,
      total_mentions: mentions,
      topics: parts
        .map(({ name, posts }) => ({
          topic: name,
          share: percentOf(posts.length, mentions),
          top_emotions: [],
          ...measure(posts),
        }))
        .sort((a, b) => b.total - a.total),
      data: starts.map((time) => ({
        timestamp: iso(time),
        topics: Object.fromEntries(
          parts.map(({ name, posts }) => [
            name,
            posts.filter((post) => inside(post, time, time + length)).length,
          ]),
        ),
        net_sentiment: {},
      })),
    };
  }

  private about(query: string): ScoredPost[] {
    return this.posts().filter(({ content }) => content.toLowerCase().includes(query.toLowerCase()));
  }
}

function measure(posts: readonly ScoredPost[]) {
  const counts = { positive: 0, neutral: 0, negative: 0 };
  for (const post of posts) counts[post.sentiment.label] += 1;
  const share = (label: Sentiment) => percentOf(counts[label], posts.length);
  const percentages = { positive: 0, neutral: 0, negative: 0 };
  for (const label of SENTIMENTS) percentages[label] = share(label);
  return {
    total: posts.length,
    distribution: counts,
    percentages,
    net_sentiment: percentages.positive - percentages.negative,
    average_confidence: 0.8,
  };
}
