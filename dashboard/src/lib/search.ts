import type { Emotion, Sentiment } from "@/api/types";
import { isEmotion, isSentiment } from "./labels";

/** The state of a view. It lives in the URL alone. */
export interface Search {
  range?: RangeKey;
  /** The bounds of a custom range, RFC 3339. Without `to` it ends now. */
  from?: string;
  to?: string;
  /** A tracked topic. */
  topic?: string;
  source?: string;
  sentiment?: Sentiment;
  emotion?: Emotion;
  author?: string;
  /** A language, in two or three letters. */
  lang?: string;
  /** Minimum confidence, in (0, 1]. */
  min?: number;
  /** Words that a post must contain. */
  q?: string;
  /** The start of the comparison: an offset or a time. Unset means the period just before. */
  against?: AgainstKey | string;
  /** The order of the posts. Unset means newest first. */
  sort?: SortKey;
  /** The post whose drawer is open. */
  post?: string;
}

/** One day, one week or four weeks earlier. */
export type AgainstKey = "1d" | "7d" | "28d";
export const AGAINST_KEYS: readonly AgainstKey[] = ["1d", "7d", "28d"];

export type SortKey = "oldest" | "confidence";
export const SORT_KEYS: readonly SortKey[] = ["oldest", "confidence"];

export type RangeKey = "15m" | "1h" | "24h" | "7d" | "30d";
export const RANGE_KEYS: readonly RangeKey[] = ["15m", "1h", "24h", "7d", "30d"];
export const DEFAULT_RANGE: RangeKey = "1h";

/** The parameters that filter posts. */
export type FilterKey = "topic" | "source" | "sentiment" | "emotion" | "author" | "lang" | "min" | "q";
export const FILTER_KEYS: readonly FilterKey[] = [
  "topic",
  "source",
  "sentiment",
  "emotion",
  "author",
  "lang",
  "min",
  "q",
];

/** Reads the state from untrusted parameters. Invalid values are dropped. */
export function parseSearch(raw: Record<string, unknown>): Search {
  const search: Search = {};
  const range = RANGE_KEYS.find((key) => key === raw.range);
  const from = timeOf(raw.from);
  if (from) {
    search.from = from;
    const to = timeOf(raw.to);
    if (to && to > from) search.to = to;
  } else if (range && range !== DEFAULT_RANGE) {
    search.range = range;
  }
  if (isSentiment(raw.sentiment)) search.sentiment = raw.sentiment;
  if (isEmotion(raw.emotion)) search.emotion = raw.emotion;
  const sort = SORT_KEYS.find((key) => key === raw.sort);
  if (sort) search.sort = sort;
  const against = AGAINST_KEYS.find((key) => key === raw.against) ?? timeOf(raw.against);
  if (against) search.against = against;
  const min = Number(raw.min);
  if (min > 0 && min <= 1) search.min = min;
  if (typeof raw.lang === "string" && /^[a-z]{2,3}$/.test(raw.lang)) search.lang = raw.lang;
  for (const key of ["topic", "source", "author", "q", "post"] as const) {
    const value = textOf(raw[key]);
    if (value) search[key] = value;
  }
  return search;
}

/** The parameters of a query string as plain strings. */
export function readQuery(query: string): Record<string, unknown> {
  return Object.fromEntries(new URLSearchParams(query));
}

/** The query string of the parameters that are set. */
export function writeQuery(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** The number of filters that are set. */
export function filterCount(search: Search): number {
  return FILTER_KEYS.filter((key) => search[key] !== undefined).length;
}

/** A change that removes all filters and keeps the time range. */
export const NO_FILTERS: Partial<Search> = Object.fromEntries(FILTER_KEYS.map((key) => [key, undefined]));

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim().slice(0, 400);
  return text || undefined;
}

function timeOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** The state with some parameters changed and the drawer closed. */
export function withSearch(search: Search, change: Partial<Search>): Search {
  return parseSearch({ ...search, post: undefined, ...change });
}
