import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { zone } from "@/lib/format";
import type { TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";
import {
  type AggregateQuery,
  type AlertsQuery,
  getAggregate,
  getAlerts,
  getSources,
  getSystem,
} from "./endpoints";
import { keys } from "./keys";
import { getTopics } from "./topics";
import type { Aggregate, Emotion, Sentiment } from "./types";

/** A response with the time of its request. Posts that arrived later are not in it. */
export interface Snapshot<T> {
  answer: T;
  asOf: number;
}

/** The filter of a count. */
export interface CountFilter {
  topic?: string | undefined;
  source?: string | undefined;
  sentiment?: Sentiment | undefined;
  emotion?: Emotion | undefined;
  author?: string | undefined;
  q?: string | undefined;
}

/**
 * The filter that counts take from a search. It leaves out the sentiment, because sentiment shares refer to
 * all posts. Callers that need one sentiment add it.
 */
export function countFilter({ topic, source, emotion, author, q }: Search): CountFilter {
  return { topic, source, emotion, author, q };
}

/** Counts over the window and over the period before it. */
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

/** The tracked topics. Polled faster while a backfill runs. */
export function useTopicsQuery() {
  return useQuery({
    queryKey: keys.topics.list,
    queryFn: ({ signal }) => getTopics(signal),
    refetchInterval: ({ state }) => (state.data?.some(({ backfill }) => backfill.running) ? 2_000 : 30_000),
  });
}

/** Reads a response with the time of its request. */
export async function snapshot<T>(read: () => Promise<T>): Promise<Snapshot<T>> {
  const asOf = Date.now();
  return { answer: await read(), asOf };
}

/** Alerts, newest first. Invalidated when an alert fires. */
export function useAlertsQuery(query: AlertsQuery) {
  return useQuery({
    queryKey: keys.alerts.list(query),
    queryFn: ({ signal }) => getAlerts(query, signal),
    placeholderData: keepPreviousData,
  });
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
