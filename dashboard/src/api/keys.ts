import type { QueryKey } from "@tanstack/react-query";
import type { AggregateQuery, AlertsQuery, CompareQuery, PostsQuery } from "./endpoints";
import type { InsightQuery } from "./insights";
import type { ShareQuery } from "./topics";

/**
 * The keys of all cached queries. `all` is the common prefix of a group, for invalidation. Queries whose
 * responses change with every post are listed in `LIVE_QUERIES`.
 */
export const keys = {
  aggregate: {
    all: ["aggregate"],
    buckets: (query: AggregateQuery) => ["aggregate", "buckets", query],
    comparison: (query: CompareQuery) => ["aggregate", "comparison", query],
  },
  insights: {
    all: ["insights"],
    explain: (filter: string, query: InsightQuery) => ["insights", "explain", filter, query],
  },
  authors: { name: (author: string) => ["authors", author] },
  sources: { all: ["sources"] },
  feeds: {
    all: ["feeds"],
    kinds: ["feed-kinds"],
    one: (name: string | null) => ["feeds", "one", name],
  },
  system: { all: ["system"] },
  demo: { all: ["demo"] },
  session: ["session"],
  devices: { all: ["devices"], list: (user: string) => ["devices", "list", user] },
  settings: { all: ["settings"] },
  backups: { all: ["backups"] },
  migrations: ["migrations"],
  release: ["release"],
  users: { all: ["users"] },
  tokens: { all: ["tokens"] },
  audit: {
    list: (actor: string, outcome: string) => ["audit", "list", actor, outcome],
    changes: ["audit", "changes"],
  },
  /** The times of the oldest and the newest post. */
  extent: { all: ["extent"] },
  topics: {
    all: ["topics"],
    list: ["topics", "list"],
    shares: (query: ShareQuery, matched: readonly number[] | undefined) => [
      "topics",
      "shares",
      query,
      matched,
    ],
    preview: (query: string) => ["topics", "preview", query],
  },
  posts: {
    all: ["posts"],
    one: (id: string) => ["posts", "one", id],
    list: (query: PostsQuery) => ["posts", "list", query],
    sample: (query: PostsQuery) => ["posts", "sample", query],
  },
  alerts: {
    all: ["alerts"],
    one: (id: string) => ["alerts", "one", id],
    list: (query: AlertsQuery) => ["alerts", "list", query],
    history: (query: AlertsQuery) => ["alerts", "history", query],
  },
  rules: {
    all: ["rules"],
    list: ["rules", "list"],
    one: (id: string) => ["rules", "one", id],
    ofAlert: (id: number | null | undefined) => ["rules", "of-alert", id],
  },
  backtests: {
    draft: (rule: string) => ["backtests", "draft", rule],
    alert: (id: number, version: number, bounds: object) => ["backtests", "alert", id, version, bounds],
  },
  silences: { all: ["silences"] },
  receivers: { all: ["receivers"], preview: (message: string) => ["receiver-preview", message] },
  inhibitRules: { all: ["inhibit-rules"] },
  routes: {
    all: ["routes"],
    preview: (labels: string) => ["routes", "preview", labels],
    list: ["routes", "list"],
  },
  muteTimings: { all: ["mute-timings"] },
  deliveries: {
    all: ["deliveries"],
    list: (alert: number | undefined) => ["deliveries", "list", alert],
    one: (id: number) => ["deliveries", "one", id],
    latest: ["deliveries", "latest"],
  },
  deadLetters: {
    all: ["dead-letters"],
    list: ["dead-letters", "list"],
    one: (id: string) => ["dead-letters", "one", id],
  },
  analysis: {
    result: (text: string) => ["analysis", "result", text],
    explanation: (text: string) => ["analysis", "explanation", text],
  },
} as const;

/** The key prefixes of the queries that are refetched while posts arrive. The list of topics contains their totals. */
export const LIVE_QUERIES: readonly QueryKey[] = [keys.aggregate.all, keys.sources.all, keys.topics.list];
