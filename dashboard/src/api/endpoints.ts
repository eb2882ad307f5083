import { call, type Query, urlOf } from "./client";
import type {
  Aggregate,
  AlertPage,
  Analysis,
  DeadLetter,
  DeadLetterPage,
  Distribution,
  Emotion,
  Period,
  PostDetail,
  PostPage,
  Selection,
  Sentiment,
  SourceInfo,
  System,
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

export function deletePost(id: string): Promise<void> {
  return call(`/api/posts/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Where the current filter is downloaded from. */
export function exportUrl(format: "csv" | "ndjson", query: PostsQuery): string {
  return urlOf("/api/posts/export", { ...query, format });
}

export function analyze(text: string, signal: AbortSignal): Promise<Analysis> {
  return call("/api/analyze", { method: "POST", body: { text }, signal });
}

export function analyzeAll(texts: string[], signal: AbortSignal): Promise<{ results: Analysis[] }> {
  return call("/api/analyze", { method: "POST", body: { texts }, signal });
}

export function getSystem(signal: AbortSignal): Promise<System> {
  return call("/api/system", { signal });
}

export function getDeadLetters(cursor: string | undefined, signal: AbortSignal): Promise<DeadLetterPage> {
  return call("/api/dead-letters", { query: { limit: 50, cursor }, signal });
}

export function getDeadLetter(id: string, signal: AbortSignal): Promise<DeadLetter> {
  return call(`/api/dead-letters/${encodeURIComponent(id)}`, { signal });
}

export function replayDeadLetters(selection: Selection): Promise<{ replayed: number }> {
  return call("/api/dead-letters/replay", { method: "POST", body: selection });
}

export function purgeDeadLetters(selection: Selection): Promise<{ purged: number }> {
  return call("/api/dead-letters/purge", { method: "POST", body: selection });
}
