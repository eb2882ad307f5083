import { queryOptions, useQuery } from "@tanstack/react-query";
import { getInsight, type InsightQuery } from "@/api/insights";
import { keys } from "@/api/keys";
import { countFilter } from "@/api/queries";
import type { Search } from "@/lib/search";

/** The ranges to compare, in milliseconds. */
export interface Ranges {
  start: number;
  end: number;
  /** The start of the earlier range, which has the same length. */
  before: number;
}

/** The explanation of the change between two ranges, under the filter of a search. */
export function useInsight(search: Search, ranges: Ranges) {
  return useQuery(insightOptions(search, ranges));
}

export function insightOptions(search: Search, { start, end, before }: Ranges) {
  const filter = { ...countFilter(search), sentiment: search.sentiment };
  const query: InsightQuery = {
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    against_start: new Date(before).toISOString(),
    ...filter,
  };
  return queryOptions({
    queryKey: keys.insights.explain(JSON.stringify(filter), query),
    queryFn: ({ signal }) => getInsight(query, signal),
    staleTime: 60_000,
    refetchInterval: false,
    refetchOnWindowFocus: false,
    // While loading, the previous explanation is shown only if it has the same filter.
    placeholderData: (previous, query) =>
      query?.queryKey[2] === JSON.stringify(filter) ? previous : undefined,
  });
}
