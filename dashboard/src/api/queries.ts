import { keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { zone } from "@/lib/format";
import type { TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";
import {
  type AggregateQuery,
  type AlertsQuery,
  getAggregate,
  getAlerts,
  getDistribution,
  getSources,
  getSystem,
} from "./endpoints";
import { getTopics } from "./topics";
import type { Aggregate, Distribution, Emotion, Sentiment } from "./types";

/** Answers that change with every post; they are read again while posts come in. */
export const LIVE_KEYS: ReadonlySet<string> = new Set(["aggregate", "distribution", "sources"]);

/** An answer with the moment at which it was asked for; posts that arrived later are not in it. */
export interface Snapshot<T> {
  answer: T;
  asOf: number;
}

/** Which posts are counted. */
export interface CountFilter {
  topic?: string | undefined;
  source?: string | undefined;
  sentiment?: Sentiment | undefined;
  emotion?: Emotion | undefined;
  author?: string | undefined;
  q?: string | undefined;
}

/**
 * What of a search narrows counts. The sentiment is left out: shares of sentiments are told of all posts,
 * and who wants the posts of one alone adds it.
 */
export function countFilter({ topic, source, emotion, author, q }: Search): CountFilter {
  return { topic, source, emotion, author, q };
}

/** Counts over the window and, for comparison, the period before it. */
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
    queryKey: ["aggregate", query],
    queryFn: ({ signal }) => snapshot<Aggregate>(() => getAggregate(query, signal)),
    placeholderData: keepPreviousData,
  });
}

export function useDistributionQuery(hours: number, filter: CountFilter) {
  return useQuery({
    queryKey: ["distribution", hours, filter],
    queryFn: ({ signal }) => snapshot<Distribution>(() => getDistribution({ hours, ...filter }, signal)),
    placeholderData: keepPreviousData,
  });
}

export function useSourcesQuery() {
  return useQuery({ queryKey: ["sources"], queryFn: ({ signal }) => getSources(signal) });
}

/** What is tracked; read again while old posts are being matched. */
export function useTopicsQuery() {
  return useQuery({
    queryKey: ["topics"],
    queryFn: ({ signal }) => getTopics(signal),
    refetchInterval: ({ state }) => (state.data?.some(({ backfill }) => backfill.running) ? 2_000 : 30_000),
  });
}

async function snapshot<T>(read: () => Promise<T>): Promise<Snapshot<T>> {
  const asOf = Date.now();
  return { answer: await read(), asOf };
}

/** Newest alerts first; asked for again when one fires. */
export function useAlertsQuery(query: AlertsQuery) {
  return useQuery({
    queryKey: ["alerts", query],
    queryFn: ({ signal }) => getAlerts(query, signal),
    placeholderData: keepPreviousData,
  });
}

/** What runs; read again every `interval` milliseconds. */
export function useSystemQuery(enabled = true, interval = 60_000) {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => getSystem(signal),
    refetchInterval: interval,
    enabled,
  });
}
