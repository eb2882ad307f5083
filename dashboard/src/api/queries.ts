import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import type { Extent } from "@/lib/fittedRange";
import { zone } from "@/lib/format";
import type { TimeWindow } from "@/lib/range";
import { type Search, type SentimentOf, topicFilter } from "@/lib/search";
import {
  type AggregateQuery,
  type AlertsQuery,
  getAggregate,
  getAlert,
  getAlerts,
  getPosts,
  getSources,
  getSystem,
} from "./endpoints";
import { keys } from "./keys";
import { getLatestDeliveries } from "./notify";
import { getTopics } from "./topics";
import type { Aggregate, Delivery, Emotion, Sentiment } from "./types";
import { untilLoaded } from "./untilLoaded";

/**
 * A response and the time at which the server computed it. A live post that was stored later is added to the totals.
 * The response already counts posts that were stored earlier.
 */
export interface Snapshot<T> {
  answer: T;
  asOf: number;
}

/** The filters that counts support. */
export interface CountFilter {
  topic?: string | undefined;
  sentiment_of?: SentimentOf | undefined;
  source?: string | undefined;
  sentiment?: Sentiment | undefined;
  emotion?: Emotion | undefined;
  author?: string | undefined;
  q?: string | undefined;
}

/**
 * The filters of a view for counts. The sentiment is left out, because sentiment shares refer to all posts.
 * Callers that need one sentiment add it.
 */
export function countFilter(search: Search): CountFilter {
  const { source, emotion, author, q } = search;
  return { ...topicFilter(search), source, emotion, author, q };
}

/** Counts of the window and of the previous period. */
export function useAggregateQuery(window: TimeWindow, filter: CountFilter) {
  return useQuery(aggregateOptions(window, filter));
}

export function aggregateOptions(window: TimeWindow, filter: CountFilter) {
  const query: AggregateQuery = {
    period: window.period,
    start_date: new Date(window.before).toISOString(),
    end_date: new Date(window.end).toISOString(),
    ...filter,
    tz: window.period === "day" ? zone() : undefined,
  };
  return queryOptions({
    queryKey: keys.aggregate.buckets(query),
    queryFn: ({ signal }) => snapshot<Aggregate>(() => getAggregate(query, signal)),
    placeholderData: keepPreviousData,
  });
}

export function useSourcesQuery() {
  return useQuery({ queryKey: keys.sources.all, queryFn: ({ signal }) => getSources(signal) });
}

/** The times of the oldest and the newest post, or `null` without posts. Polled only until there are posts. */
export function useExtentQuery(enabled: boolean) {
  return useQuery({
    queryKey: keys.extent.all,
    queryFn: async ({ signal }): Promise<Extent | null> => {
      const [oldest, newest] = await Promise.all([
        getPosts({ limit: 1, sort: "oldest" }, signal),
        getPosts({ limit: 1 }, signal),
      ]);
      const [first, last] = [oldest.posts[0], newest.posts[0]];
      return first && last
        ? { first: Date.parse(first.created_at), last: Date.parse(last.created_at) }
        : null;
    },
    staleTime: Number.POSITIVE_INFINITY,
    // The automatic range must not change while someone reads the page.
    refetchInterval: untilLoaded,
    enabled,
  });
}

/** The tracked topics. Polled faster while a backfill runs. */
export function useTopicsQuery() {
  return useQuery({
    queryKey: keys.topics.list,
    queryFn: ({ signal }) => getTopics(signal),
    refetchInterval: ({ state }) => (state.data?.some(({ backfill }) => backfill.running) ? 2_000 : 30_000),
  });
}

/** Reads a response and the time of its computation. Without `cached_at` this is the time of the request. */
export async function snapshot<T extends { cached_at?: string }>(
  read: () => Promise<T>,
): Promise<Snapshot<T>> {
  const asked = Date.now();
  const answer = await read();
  return { answer, asOf: answer.cached_at ? Date.parse(answer.cached_at) : asked };
}

/** Alerts, newest first. Invalidated when an alert fires. */
export function useAlertsQuery(query: AlertsQuery) {
  return useQuery({
    queryKey: keys.alerts.list(query),
    queryFn: ({ signal }) => getAlerts(query, signal),
    placeholderData: keepPreviousData,
  });
}

/** One alert with its evidence. */
export function alertQuery(id: string) {
  return queryOptions({
    queryKey: keys.alerts.one(id),
    queryFn: ({ signal }) => getAlert(Number(id), signal),
  });
}

/** The names of the receivers whose last completed delivery failed. */
export function useFailedReceivers(): ReadonlySet<string> {
  const { data } = useQuery({
    queryKey: keys.deliveries.latest,
    queryFn: ({ signal }) => getLatestDeliveries(signal),
    refetchInterval: 60_000,
  });
  const last = new Map<string, Delivery["state"]>();
  for (const { receiver, state } of data ?? []) {
    if (state !== "pending" && !last.has(receiver)) last.set(receiver, state);
  }
  return new Set([...last].filter(([, state]) => state === "failed").map(([receiver]) => receiver));
}

/** The system status, polled every `interval` milliseconds. */
export function useSystemQuery(enabled = true, interval = 60_000) {
  return useQuery({
    queryKey: keys.system.all,
    queryFn: ({ signal }) => getSystem(signal),
    refetchInterval: interval,
    enabled,
  });
}
