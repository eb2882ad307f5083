import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { Feed, ManagedSource, SourceDefinition, SourceKind, SourceRequest, Trial } from "./types";
import { untilLoaded } from "./untilLoaded";

/** API calls for the sources that instances read. */

export interface SourceFeeds {
  feeds: readonly Feed[];
  /** The names of the sources that were added through the API. The configuration defines the others. */
  managed: ReadonlySet<string>;
}

export async function getFeeds(signal: AbortSignal): Promise<SourceFeeds> {
  const { feeds, managed } = await dataOf(api.GET("/api/sources", { signal }));
  return { feeds, managed: new Set(managed) };
}

/** The feeds with their state, polled every few seconds. */
export function useFeedsQuery() {
  return useQuery({
    queryKey: keys.feeds.all,
    queryFn: ({ signal }) => getFeeds(signal),
    refetchInterval: 3_000,
  });
}

export function useSourceKindsQuery() {
  return useQuery({
    queryKey: keys.feeds.kinds,
    queryFn: async ({ signal }): Promise<SourceKind[]> =>
      (await dataOf(api.GET("/api/sources/kinds", { signal }))).kinds,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: untilLoaded,
  });
}

export function getManagedSource(name: string, signal: AbortSignal): Promise<ManagedSource> {
  return dataOf(api.GET("/api/sources/{name}", { params: { path: { name } }, signal }));
}

export function addSource(body: SourceRequest): Promise<ManagedSource> {
  return dataOf(api.POST("/api/sources", { body }));
}

export function changeSource(body: SourceRequest, version: number): Promise<ManagedSource> {
  const params = { path: { name: body.name }, header: { "If-Match": `"${version}"` } };
  return dataOf(api.PUT("/api/sources/{name}", { params, body }));
}

export async function deleteSource(name: string): Promise<void> {
  await dataOf(
    api.DELETE("/api/sources/{name}", { params: { path: { name }, header: { "If-Match": "*" } } }),
  );
}

/** Reads some posts of a source. Nothing is stored. */
export function testSource(body: SourceRequest): Promise<Trial> {
  return dataOf(api.POST("/api/sources/test", { body }));
}

/** The definition of a source that reads the page, the account or the community at an address. */
export function recognizeSource(address: string): Promise<SourceDefinition> {
  return dataOf(api.POST("/api/sources/recognize", { body: { address } }));
}
