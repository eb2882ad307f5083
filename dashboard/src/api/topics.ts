import { api, dataOf, ifMatch } from "./client";
import type { paths } from "./schema";
import type { Topic, TopicChange, TopicDraft, TopicPreview, TopicShares } from "./types";

/** API calls for tracked topics and their share of posts. */

export type ShareQuery = NonNullable<paths["/api/topics/share"]["get"]["parameters"]["query"]>;

export async function getTopics(signal: AbortSignal): Promise<Topic[]> {
  return (await dataOf(api.GET("/api/topics", { signal }))).topics;
}

export function addTopic(body: TopicDraft): Promise<Topic> {
  return dataOf(api.POST("/api/topics", { body }));
}

export function changeTopic({ name, revision }: Topic, body: TopicChange): Promise<Topic> {
  const params = { path: { name }, header: ifMatch(revision) };
  return dataOf(api.PUT("/api/topics/{name}", { params, body }));
}

export async function removeTopic({ name, revision }: Topic): Promise<void> {
  await dataOf(api.DELETE("/api/topics/{name}", { params: { path: { name }, header: ifMatch(revision) } }));
}

/** The matches of a query among the newest posts. Nothing is saved. */
export function previewTopic(query: string, signal: AbortSignal): Promise<TopicPreview> {
  return dataOf(api.POST("/api/topics/preview", { body: { query, posts: 1_000, examples: 8 }, signal }));
}

export function getTopicShares(query: ShareQuery, signal: AbortSignal): Promise<TopicShares> {
  return dataOf(api.GET("/api/topics/share", { params: { query }, signal }));
}
