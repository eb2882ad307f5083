import { useQueries } from "@tanstack/react-query";
import { aggregateOptions, countFilter, useSourcesQuery } from "@/api/queries";
import type { Sentiment } from "@/api/types";
import { percent, signed } from "@/lib/format";
import { type Comparison, compare, type Totals } from "@/lib/metrics";
import type { TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";

/** The maximum number of sources in the card. The source filter lists all of them. */
const MOST_SOURCES = 8;

export interface SourceShare {
  source: string;
  /** The number of posts, or of posts with the chosen sentiment. */
  posts: number;
  shares: Record<Sentiment, number | null>;
  /** Net sentiment, or the share of the chosen sentiment. */
  mood: string;
  now: Totals;
  before: Totals;
}

/** The shares, `undefined` while loading. */
export interface SourceShares {
  shares: SourceShare[] | undefined;
  error: unknown;
}

/** The counts of the window for the sources that have the most posts in total. */
export function useSourceShares(window: TimeWindow, search: Search): SourceShares {
  const query = useSourcesQuery();
  const sources = query.data;
  const names = search.source ? [search.source] : largest(sources ?? []);
  return useQueries({
    queries: names.map((source) => aggregateOptions(window, { ...countFilter(search), source })),
    combine: (results) => {
      const failed = results.find(({ data, error }) => !data && error)?.error ?? null;
      const error = failed ?? (sources ? null : query.error);
      if (error) return { shares: undefined, error };
      if (!sources && !search.source) return { shares: undefined, error: null };
      if (results.length > 0 && results.every((result) => !result.data)) {
        return { shares: undefined, error: null };
      }
      const shares = results
        .flatMap(({ data }, index) => {
          const source = names[index];
          if (!data || source === undefined) return [];
          const compared = compare(data.answer, window, window.live ? Date.now() : window.end);
          const share = shareOf(source, compared, search.sentiment);
          return share.posts === 0 ? [] : [share];
        })
        .sort((a, b) => b.posts - a.posts);
      return { shares, error: null };
    },
  });
}

function shareOf(source: string, { now, before }: Comparison, only: Sentiment | undefined): SourceShare {
  const { shares } = now;
  const base = { source, shares, now, before };
  if (only) return { ...base, posts: now.counts[only], mood: percent(shares[only]) };
  return { ...base, posts: now.all, mood: signed(now.net ?? 0) };
}

function largest(sources: readonly { source: string; count: number }[]): string[] {
  return [...sources]
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST_SOURCES)
    .map(({ source }) => source);
}
