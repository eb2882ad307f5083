import type {
  Aggregate,
  Alert,
  Bucket,
  Comparison,
  ComponentState,
  DeadLetter,
  Demo,
  Emotion,
  Feed,
  Insight,
  Period,
  PeriodCounts,
  PostEvent,
  PostPage,
  ScoredPost,
  Sentiment,
  SourceInfo,
  System,
} from "@/api/types";
import { percentOf } from "@/lib/counts";
import { EMOTIONS, SENTIMENTS } from "@/lib/labels";
import { bucketLength } from "@/lib/range";
import { AccountWorld } from "./accounts";
import { iso } from "./answer";
import { NotifyWorld } from "./notify";
import { RuleWorld } from "./rules";
import { SettingWorld } from "./settings";
import { SourceWorld } from "./sources";
import { TopicWorld } from "./topics";

/** The data of the fake server. */
export class World {
  /** The insight for the parameters of a request. Empty by default. */
  insight: (params: URLSearchParams) => Partial<Insight> = () => ({});
  readonly alerts: Alert[] = [];
  routes: System["model"]["routes"] = [];
  /** Posts of the last day without a sentiment. */
  unscored: System["unscored"] = { posts: 0, unscored_count: 0, percentage: 0, languages: [] };
  deadLetters: DeadLetter[] = [];
  components: ComponentState[] = [{ name: "llm", healthy: true, state: "ready" }];
  feeds: Feed[] = [];
  /** The handles of Bluesky accounts, by DID. */
  names: Record<string, string> = {};
  demo: Demo = { state: "none", planned: 0, stored: 0, began_at: null, topics: [], rules: [] };
  readonly accounts = new AccountWorld();
  readonly notify = new NotifyWorld();
  readonly rules = new RuleWorld();
  readonly settings = new SettingWorld();
  readonly sourceWorld = new SourceWorld();
  readonly topics = new TopicWorld(() => [...this.posts.values()]);
  private readonly posts = new Map<string, ScoredPost>();

  add(...posts: ScoredPost[]): void {
    for (const post of posts) this.posts.set(post.post_id, post);
  }

  remove(id: string): boolean {
    return this.posts.delete(id);
  }

  post(id: string): ScoredPost | undefined {
    return this.posts.get(id);
  }

  page(params: URLSearchParams): PostPage {
    const limit = Number(params.get("limit") ?? 50);
    const offset = Number(params.get("cursor") ?? params.get("offset") ?? 0);
    const found = this.find(params).sort(
      (a, b) =>
        (params.get("sort") === "confidence" ? b.sentiment.confidence - a.sentiment.confidence : 0) ||
        b.created_at.localeCompare(a.created_at) ||
        b.post_id.localeCompare(a.post_id),
    );
    if (params.get("sort") === "oldest") found.reverse();
    const next = offset + limit;
    return {
      posts: found.slice(offset, next),
      total: found.length,
      limit,
      offset: 0,
      sort: "newest",
      filters: {},
      next_cursor: next < found.length ? String(next) : null,
    };
  }

  aggregate(params: URLSearchParams): Aggregate {
    const period = params.get("period") as Period;
    const length = bucketLength(period);
    const start = Math.floor(Date.parse(params.get("start_date") ?? "") / length) * length;
    const end = Math.ceil(Date.parse(params.get("end_date") ?? "") / length) * length;
    const posts = this.find(params);
    const data: Bucket[] = [];
    for (let time = start; time < end; time += length) data.push(emptyBucket(time));
    const byBucket = new Map<number, ScoredPost[]>();
    for (const post of posts) {
      const index = Math.floor((Date.parse(post.created_at) - start) / length);
      const list = byBucket.get(index);
      if (list) list.push(post);
      else byBucket.set(index, [post]);
    }
    for (const [index, list] of byBucket) {
      const bucket = data[index];
      if (bucket) fill(bucket, list);
    }
    const sum = (key: "positive_count" | "negative_count" | "neutral_count") =>
      data.reduce((total, bucket) => total + bucket[key], 0);
    return {
      period,
      start_date: iso(start),
      end_date: iso(end),
      source: params.get("source"),
      data,
      summary: {
        total_posts: posts.length,
        positive_total: sum("positive_count"),
        negative_total: sum("negative_count"),
        neutral_total: sum("neutral_count"),
        average_confidence: mean(posts),
        emotions: countBy(EMOTIONS, posts, (post) => post.sentiment.emotion),
      },
      tz: params.get("tz") ?? "UTC",
      cached_at: iso(Date.now()),
      counted_from: "rollups",
    };
  }

  /** Compares a period with one of the same length. */
  compare(params: URLSearchParams): Comparison {
    const time = (name: string) => Date.parse(params.get(name) ?? "");
    const [start, end, previous] = [time("start_date"), time("end_date"), time("previous_start")];
    const current = this.period(params, start, end);
    const before = this.period(params, previous, previous + end - start);
    const change = <L extends string>(labels: readonly L[], is: Record<L, number>, was: Record<L, number>) =>
      Object.fromEntries(labels.map((label) => [label, is[label] - was[label]])) as Record<L, number>;
    return {
      current,
      previous: before,
      change: {
        total: current.total - before.total,
        total_percentage: before.total ? ((current.total - before.total) * 100) / before.total : null,
        percentages: change(SENTIMENTS, current.percentages, before.percentages),
        net_sentiment: current.net_sentiment - before.net_sentiment,
        average_confidence: current.average_confidence - before.average_confidence,
        emotions: change(EMOTIONS, current.emotions, before.emotions),
      },
      counted_from: "rollups",
    };
  }

  private period(params: URLSearchParams, start: number, end: number): PeriodCounts {
    const range = new URLSearchParams(params);
    range.set("start_date", iso(start));
    range.set("end_date", iso(end));
    const posts = this.find(range);
    const distribution = countBy(SENTIMENTS, posts, (post) => post.sentiment.label);
    const share = (label: Sentiment) => percentOf(distribution[label], posts.length);
    const percentages = {
      positive: share("positive"),
      neutral: share("neutral"),
      negative: share("negative"),
    };
    return {
      total: posts.length,
      distribution,
      percentages,
      net_sentiment: percentages.positive - percentages.negative,
      average_confidence: mean(posts),
      start_date: iso(start),
      end_date: iso(end),
      emotions: countBy(EMOTIONS, posts, (post) => post.sentiment.emotion),
    };
  }

  sources(): SourceInfo[] {
    const names = new Set([...this.posts.values()].map(({ source }) => source));
    return [...names]
      .map((source) => {
        const posts = this.find(new URLSearchParams({ source }));
        const counts = countBy(SENTIMENTS, posts, (post) => post.sentiment.label);
        return {
          source,
          count: posts.length,
          by_sentiment: counts,
          percentages: {
            positive: percentOf(counts.positive, posts.length),
            neutral: percentOf(counts.neutral, posts.length),
            negative: percentOf(counts.negative, posts.length),
          },
          by_emotion: countBy(EMOTIONS, posts, (post) => post.sentiment.emotion),
          average_confidence: mean(posts),
          last_post:
            posts
              .map((post) => post.created_at)
              .sort()
              .at(-1) ?? null,
        };
      })
      .sort((a, b) => b.count - a.count);
  }

  private find(params: URLSearchParams): ScoredPost[] {
    const time = (name: string) => Date.parse(params.get(name) ?? "");
    const [start, end, after] = [time("start_date"), time("end_date"), time("ingested_after")];
    const words = (params.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const is = (name: string, value: string | null | undefined) =>
      !params.get(name) || params.get(name) === value;
    return [...this.posts.values()].filter(
      (post) =>
        (!params.get("topic") || this.topics.matches(params.get("topic") ?? "", post)) &&
        is("source", post.source) &&
        is("sentiment", post.sentiment.label) &&
        is("emotion", post.sentiment.emotion) &&
        is("author", post.author) &&
        post.sentiment.confidence >= Number(params.get("min_confidence") ?? 0) &&
        words.every((word) => post.content.toLowerCase().includes(word)) &&
        !(Date.parse(post.created_at) < start) &&
        !(Date.parse(post.created_at) >= end) &&
        !(Date.parse(post.ingested_at) <= after),
    );
  }
}

export interface PostSpec {
  id: string;
  at: number;
  content?: string;
  source?: string;
  author?: string | null;
  sentiment?: Sentiment;
  emotion?: Emotion;
  confidence?: number;
}

/** A post with defaults. */
export function makePost(spec: PostSpec): ScoredPost {
  const { id, at, content = `Post ${id}`, source = "web", author = "ada" } = spec;
  return {
    post_id: id,
    source,
    content,
    author,
    created_at: iso(at),
    ingested_at: iso(at + 40),
    url: null,
    lang: "en",
    reply_to: null,
    sentiment: {
      label: spec.sentiment ?? "positive",
      confidence: spec.confidence ?? 0.9,
      emotion: spec.emotion ?? "joy",
      model_name: "builtin",
      analyzed_at: iso(at + 50),
    },
  };
}

/** A running source with defaults. */
export function makeFeed(name: string, part: Partial<Feed> = {}): Feed {
  const now = Date.now();
  return {
    name,
    kind: name,
    state: "connected",
    paused: false,
    online: true,
    posts: 12_431,
    rejected: 0,
    filtered: 0,
    errors: 0,
    rate: 4.2,
    lag_seconds: 0.8,
    last_post: iso(now - 2_000),
    last_error: null,
    instance: "01a1f8de",
    reported_at: iso(now - 1_000),
    ...part,
  };
}

/** The WebSocket event of a post. */
export function eventOf(post: ScoredPost): PostEvent {
  return {
    post_id: post.post_id,
    content: [...post.content].slice(0, 200).join(""),
    source: post.source,
    author: post.author,
    sentiment_label: post.sentiment.label,
    confidence_score: post.sentiment.confidence,
    emotion: post.sentiment.emotion,
    created_at: post.created_at,
    ingested_at: post.ingested_at,
    timestamp: post.sentiment.analyzed_at,
  };
}

function emptyBucket(time: number): Bucket {
  return {
    timestamp: iso(time),
    positive_count: 0,
    negative_count: 0,
    neutral_count: 0,
    total_count: 0,
    positive_percentage: 0,
    negative_percentage: 0,
    neutral_percentage: 0,
    average_confidence: 0,
    emotions: { anger: 0, disgust: 0, fear: 0, joy: 0, neutral: 0, sadness: 0, surprise: 0 },
  };
}

function fill(bucket: Bucket, posts: readonly ScoredPost[]): void {
  const counts = countBy(SENTIMENTS, posts, (post) => post.sentiment.label);
  bucket.positive_count = counts.positive;
  bucket.neutral_count = counts.neutral;
  bucket.negative_count = counts.negative;
  bucket.total_count = posts.length;
  bucket.positive_percentage = percentOf(counts.positive, posts.length);
  bucket.neutral_percentage = percentOf(counts.neutral, posts.length);
  bucket.negative_percentage = percentOf(counts.negative, posts.length);
  bucket.average_confidence = mean(posts);
  bucket.emotions = countBy(EMOTIONS, posts, (post) => post.sentiment.emotion);
}

function countBy<L extends string>(
  labels: readonly L[],
  posts: readonly ScoredPost[],
  of: (post: ScoredPost) => L,
): Record<L, number> {
  const counts = Object.fromEntries(labels.map((label) => [label, 0])) as Record<L, number>;
  for (const post of posts) counts[of(post)] += 1;
  return counts;
}

function mean(posts: readonly ScoredPost[]): number {
  return posts.length ? posts.reduce((sum, post) => sum + post.sentiment.confidence, 0) / posts.length : 0;
}
