import { useQueries } from "@tanstack/react-query";
import { aggregateOptions, useSourcesQuery } from "@/api/queries";
import type { Sentiment } from "@/api/types";
import { signed } from "@/lib/format";
import { compare } from "@/lib/metrics";
import type { TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";

/** More sources than these are found with the filter. */
const MOST_SOURCES = 8;

export interface SourceShare {
  source: string;
  posts: number;
  shares: Record<Sentiment, number | null>;
  net: string;
}

/** The counts of each of the largest sources in the window; `undefined` while none is known. */
export function useSourceShares(window: TimeWindow, search: Search): SourceShare[] | undefined {
  const sources = useSourcesQuery().data;
  const names = search.source ? [search.source] : largest(sources ?? []);
  const current = { ...window, before: window.start };
  return useQueries({
    queries: names.map((source) => aggregateOptions(current, { source, emotion: search.emotion })),
    combine: (results) => {
      if (!sources && !search.source) return undefined;
      if (results.length > 0 && results.every((result) => !result.data)) return undefined;
      return results
        .flatMap(({ data }, index) => {
          const source = names[index];
          if (!data || source === undefined) return [];
          const { now } = compare(data.answer, current, window.end);
          return now.posts === 0 ? [] : [shareOf(source, now)];
        })
        .sort((a, b) => b.posts - a.posts);
    },
  });
}

function shareOf(source: string, now: ReturnType<typeof compare>["now"]): SourceShare {
  return { source, posts: now.posts, shares: now.shares, net: signed(now.net ?? 0) };
}

function largest(sources: readonly { source: string; count: number }[]): string[] {
  return [...sources]
    .sort((a, b) => b.count - a.count)
    .slice(0, MOST_SOURCES)
    .map(({ source }) => source);
}
