import type { Alert, Emotion, Sentiment } from "@/api/types";
import { isEmotion, isSentiment } from "@/lib/labels";
import type { LivePost } from "@/live/post";

/** The evidence of an alert. The API types it as an open object, so each part is validated. */
export interface Details {
  counts: Record<Sentiment, number> | null;
  total: number | null;
  baseline: number | null;
  pValue: number | null;
  /** The most extreme value so far: the largest, or the smallest if the rule fires below its limit. */
  peak: number | null;
  usual: { level: number; spread: number } | null;
  terms: Term[];
  sources: Share[];
  authors: Share[];
  emotions: { emotion: Emotion; count: number }[];
  posts: CitedPost[];
}

/** A frequent word, with its number of posts in the window and in the day before. */
export interface Term {
  term: string;
  count: number;
  before: number;
}

/** A source or an author and its number of posts. */
export interface Share {
  name: string;
  count: number;
}

/** A typical post and the number of near-duplicates. */
export interface CitedPost {
  post: LivePost;
  duplicates: number;
}

export function detailsOf({ details }: Pick<Alert, "details">): Details {
  const counts = recordOf(details.counts);
  const usual = recordOf(details.usual);
  const shares = (list: unknown, key: string) =>
    rowsOf(list).flatMap((row) => {
      const name = row[key];
      return typeof name === "string" ? [{ name, count: numberOf(row.count) ?? 0 }] : [];
    });
  return {
    counts: counts && {
      positive: numberOf(counts.positive) ?? 0,
      neutral: numberOf(counts.neutral) ?? 0,
      negative: numberOf(counts.negative) ?? 0,
    },
    total: numberOf(counts?.total),
    baseline: numberOf(details.baseline),
    pValue: numberOf(details.p_value),
    peak: numberOf(details.peak),
    usual: usual && { level: numberOf(usual.level) ?? 0, spread: numberOf(usual.spread) ?? 0 },
    terms: rowsOf(details.top_terms).flatMap(({ term, count, baseline_count }) =>
      typeof term === "string"
        ? [{ term, count: numberOf(count) ?? 0, before: numberOf(baseline_count) ?? 0 }]
        : [],
    ),
    sources: shares(details.top_sources, "source"),
    authors: shares(details.top_authors, "author"),
    emotions: rowsOf(details.top_emotions).flatMap(({ emotion, count }) =>
      isEmotion(emotion) ? [{ emotion, count: numberOf(count) ?? 0 }] : [],
    ),
    posts: rowsOf(details.evidence).flatMap(postOf),
  };
}

function postOf(row: Record<string, unknown>): CitedPost[] {
  const { post_id, content, source, author, sentiment, emotion, created_at } = row;
  if (typeof post_id !== "string" || typeof content !== "string") return [];
  const createdAt = Date.parse(String(created_at));
  return [
    {
      post: {
        id: post_id,
        content,
        source: typeof source === "string" ? source : "",
        author: typeof author === "string" ? author : null,
        sentiment: isSentiment(sentiment) ? sentiment : null,
        emotion: isEmotion(emotion) ? emotion : null,
        confidence: numberOf(row.confidence),
        createdAt,
        ingestedAt: createdAt,
      },
      duplicates: numberOf(row.duplicates) ?? 0,
    },
  ];
}

function recordOf(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
}

function rowsOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value)
    ? value.flatMap((row: unknown): Record<string, unknown>[] =>
        recordOf(row) ? [row as Record<string, unknown>] : [],
      )
    : [];
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}
