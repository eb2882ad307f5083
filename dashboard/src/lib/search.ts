import type { Emotion, Sentiment } from "@/api/types";
import { isEmotion, isSentiment } from "./labels";

/** The state of a view, which is stored only in the URL. */
export interface Search {
  range?: RangeKey;
  /** The bounds of a custom range, RFC 3339. Without `to` it ends now. */
  from?: string;
  to?: string;
  /** A tracked topic. */
  topic?: string;
  /** Which sentiment the posts of a topic show. Unset means the sentiment towards the topic. */
  sentiment_of?: SentimentOf;
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

/** The sentiment towards the topic, or the sentiment of the whole post. */
export type SentimentOf = "topic" | "post";

/** One day, one week or four weeks earlier. */
export type AgainstKey = "1d" | "7d" | "28d";
export const AGAINST_KEYS: readonly AgainstKey[] = ["1d", "7d", "28d"];

export type SortKey = "oldest" | "confidence";
export const SORT_KEYS: readonly SortKey[] = ["oldest", "confidence"];

/** A range that ends now, or a calendar range in the viewer's zone. */
export type RangeKey = "15m" | "1h" | "24h" | "7d" | "30d" | CalendarKey;
export type CalendarKey = "today" | "yesterday" | "last-week";
export const CALENDAR_KEYS: readonly CalendarKey[] = ["today", "yesterday", "last-week"];
export const RANGE_KEYS = ["15m", "1h", "24h", "7d", "30d"] as const;
const ALL_RANGES: readonly RangeKey[] = [...RANGE_KEYS, ...CALENDAR_KEYS];
export const DEFAULT_RANGE: RangeKey = "1h";
/** The default range of the list of alerts, which are rarer than posts. */
export const ALERTS_RANGE: RangeKey = "24h";

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
  const range = ALL_RANGES.find((key) => key === raw.range);
  const from = timeOf(raw.from);
  if (from) {
    search.from = from;
    const to = timeOf(raw.to);
    if (to && to > from) search.to = to;
  } else if (range) {
    search.range = range;
  }
  if (isSentiment(raw.sentiment)) search.sentiment = raw.sentiment;
  if (isEmotion(raw.emotion)) search.emotion = raw.emotion;
  const sort = SORT_KEYS.find((key) => key === raw.sort);
  if (sort) search.sort = sort;
  const against = AGAINST_KEYS.find((key) => key === raw.against) ?? timeOf(raw.against);
  if (against) search.against = against;
  if (raw.sentiment_of === "topic" || raw.sentiment_of === "post") search.sentiment_of = raw.sentiment_of;
  const min = Number(raw.min);
  if (min > 0 && min <= 1) search.min = min;
  if (typeof raw.lang === "string" && /^[a-z]{2,3}$/.test(raw.lang)) search.lang = raw.lang;
  for (const key of ["topic", "source", "author", "q", "post"] as const) {
    const value = textOf(raw[key]);
    if (value) search[key] = value;
  }
  return search;
}

const KEYS: readonly (keyof Search)[] = [
  ...["range", "from", "to", "sentiment", "sentiment_of", "emotion", "sort", "against", "min", "lang"],
  ...["topic", "source", "author", "q", "post"],
] as (keyof Search)[];

/** A parameter whose value cannot be used. */
export interface Unusable {
  key: string;
  value: string;
}

/** The parameters that `parseSearch` drops. Unknown parameters are not reported. */
export function unusableParams(raw: Record<string, unknown>): Unusable[] {
  const search = parseSearch(raw);
  return KEYS.filter((key) => {
    const given = raw[key] !== undefined && String(raw[key]).trim() !== "";
    // A custom range replaces a preset, so the dropped preset is not reported.
    return given && search[key] === undefined && !(key === "range" && search.from !== undefined);
  }).map((key) => ({ key, value: String(raw[key]).slice(0, 60) }));
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
export const NO_FILTERS: Partial<Search> = Object.fromEntries(
  [...FILTER_KEYS, "sentiment_of"].map((key) => [key, undefined]),
);

/** The topic, and which sentiment its posts show. Without a topic both are unset. */
export function topicFilter({ topic, sentiment_of }: Search): Pick<Search, "topic" | "sentiment_of"> {
  return { topic, sentiment_of: topic === undefined ? undefined : sentiment_of };
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.trim().slice(0, 400);
  return text || undefined;
}

/** Times outside these bounds are invalid, and arithmetic on them could overflow. */
const FIRST_TIME = Date.UTC(2000, 0, 1);
const LAST_TIME = Date.UTC(2100, 0, 1);

function timeOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const time = new Date(value).getTime();
  return time >= FIRST_TIME && time < LAST_TIME ? new Date(time).toISOString() : undefined;
}

/** The state with some parameters changed and the drawer closed. */
export function withSearch(search: Search, change: Partial<Search>): Search {
  return parseSearch({ ...search, post: undefined, ...change });
}
