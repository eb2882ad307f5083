import { api, dataOf } from "./client";
import type { paths } from "./schema";
import type {
  Aggregate,
  AlertDetail,
  AlertPage,
  Analysis,
  Comparison,
  DeadLetter,
  DeadLetterPage,
  Feed,
  PostDetail,
  PostPage,
  Selection,
  SourceInfo,
  System,
} from "./types";

export type AggregateQuery = paths["/api/sentiment/aggregate"]["get"]["parameters"]["query"];
export type PostsQuery = NonNullable<paths["/api/posts"]["get"]["parameters"]["query"]>;
export type AlertsQuery = NonNullable<paths["/api/alerts"]["get"]["parameters"]["query"]>;
export type CompareQuery = NonNullable<paths["/api/compare"]["get"]["parameters"]["query"]>;
export type ExportFormat = "csv" | "ndjson";

export function getAggregate(query: AggregateQuery, signal: AbortSignal): Promise<Aggregate> {
  return dataOf(api.GET("/api/sentiment/aggregate", { params: { query }, signal }));
}

export function getPosts(query: PostsQuery, signal?: AbortSignal): Promise<PostPage> {
  return dataOf(api.GET("/api/posts", { params: { query }, ...(signal ? { signal } : {}) }));
}

export function getPost(id: string, signal: AbortSignal): Promise<PostDetail> {
  return dataOf(api.GET("/api/posts/{post_id}", { params: { path: { post_id: id } }, signal }));
}

export async function deletePost(id: string): Promise<void> {
  await dataOf(api.DELETE("/api/posts/{post_id}", { params: { path: { post_id: id } } }));
}

/** The download URL for all matching posts. */
export function exportUrl(format: ExportFormat, query: PostsQuery): string {
  const params = new URLSearchParams({ format });
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) params.set(name, String(value));
  }
  return `/api/posts/export?${params}`;
}

/** Downloads all matching posts into memory. A download by the browser itself cannot send a token. */
export function getExport(format: ExportFormat, query: PostsQuery): Promise<Blob> {
  return dataOf(api.GET("/api/posts/export", { params: { query: { format, ...query } }, parseAs: "blob" }));
}

export async function getSources(signal: AbortSignal): Promise<SourceInfo[]> {
  const { sources } = await dataOf(api.GET("/api/sources", { signal }));
  return sources;
}

/** The names of Bluesky accounts, by DID. Accounts without a known name are left out. */
export async function getAuthorNames(authors: string[]): Promise<Record<string, string>> {
  const query = { source: "bluesky", authors: authors.join(",") };
  return (await dataOf(api.GET("/api/authors", { params: { query } }))).names;
}

/** Pauses or resumes a source. The state survives restarts. */
export function setSourcePaused(name: string, paused: boolean): Promise<Feed> {
  const params = { path: { name } };
  return dataOf(
    paused
      ? api.POST("/api/sources/{name}/pause", { params })
      : api.POST("/api/sources/{name}/resume", { params }),
  );
}

export function getAlerts(query: AlertsQuery, signal: AbortSignal): Promise<AlertPage> {
  return dataOf(api.GET("/api/alerts", { params: { query }, signal }));
}

export function getAlert(id: number, signal: AbortSignal): Promise<AlertDetail> {
  return dataOf(
    api.GET("/api/alerts/{id}", { params: { path: { id } }, signal }),
  ) as unknown as Promise<AlertDetail>;
}

/** Acknowledges an alert. Its reminders stop, except to Alertmanager. */
export async function acknowledgeAlert(id: number, note: string): Promise<void> {
  await dataOf(api.POST("/api/alerts/{id}/acknowledge", { params: { path: { id } }, body: { note } }));
}

/** Compares two periods of the same length. */
export function getComparison(query: CompareQuery, signal: AbortSignal): Promise<Comparison> {
  return dataOf(api.GET("/api/compare", { params: { query }, signal }));
}

export type AnalyzeRequest = paths["/api/analyze"]["post"]["requestBody"]["content"]["application/json"];

export async function analyze(body: AnalyzeRequest, signal: AbortSignal): Promise<Analysis> {
  const answer = await dataOf(api.POST("/api/analyze", { body, signal }));
  // A request with one text returns one analysis.
  return answer as Analysis;
}

export function getSystem(signal: AbortSignal): Promise<System> {
  return dataOf(api.GET("/api/system", { signal }));
}

export function getDeadLetters(cursor: string | undefined, signal: AbortSignal): Promise<DeadLetterPage> {
  return dataOf(api.GET("/api/dead-letters", { params: { query: { limit: 50, cursor } }, signal }));
}

export function getDeadLetter(id: string, signal: AbortSignal): Promise<DeadLetter> {
  return dataOf(api.GET("/api/dead-letters/{id}", { params: { path: { id } }, signal }));
}

export function replayDeadLetters(selection: Selection): Promise<{ replayed: number }> {
  return dataOf(api.POST("/api/dead-letters/replay", { body: selection }));
}

export function purgeDeadLetters(selection: Selection): Promise<{ purged: number }> {
  return dataOf(api.POST("/api/dead-letters/purge", { body: selection }));
}
