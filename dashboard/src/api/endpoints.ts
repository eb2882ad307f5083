import { call, type Query } from "./client";
import type {
  Aggregate,
  AlertPage,
  Distribution,
  Emotion,
  Period,
  PostDetail,
  PostPage,
  Sentiment,
  SourceInfo,
} from "./types";

export interface AggregateQuery extends Query {
  period: Period;
  start_date: string;
  end_date: string;
  source: string | undefined;
  emotion: Emotion | undefined;
  tz: string | undefined;
}

export interface PostsQuery extends Query {
  limit?: number | undefined;
  cursor?: string | undefined;
  source?: string | undefined;
  sentiment?: Sentiment | undefined;
  emotion?: Emotion | undefined;
  author?: string | undefined;
  q?: string | undefined;
  min_confidence?: number | undefined;
  start_date?: string | undefined;
  end_date?: string | undefined;
  ingested_after?: string | undefined;
}

export function getAggregate(query: AggregateQuery, signal: AbortSignal): Promise<Aggregate> {
  return call("/api/sentiment/aggregate", { query, signal });
}

export function getDistribution(
  query: { hours: number; source: string | undefined },
  signal: AbortSignal,
): Promise<Distribution> {
  return call("/api/sentiment/distribution", { query, signal });
}

export function getPosts(query: PostsQuery, signal?: AbortSignal): Promise<PostPage> {
  return call("/api/posts", signal ? { query, signal } : { query });
}

export function getPost(id: string, signal: AbortSignal): Promise<PostDetail> {
  return call(`/api/posts/${encodeURIComponent(id)}`, { signal });
}

export function getSources(signal: AbortSignal): Promise<{ sources: SourceInfo[] }> {
  return call("/api/sources", { signal });
}

export function getAlerts(query: Query, signal: AbortSignal): Promise<AlertPage> {
  return call("/api/alerts", { query, signal });
}
