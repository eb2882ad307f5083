import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getComparison } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { countFilter } from "@/api/queries";
import type { Significance } from "@/api/types";
import type { TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";

/** Whether the changes of the figures are significant. The server ends an unfinished period at the current time. */
export function useSignificance(
  { start, end, before }: TimeWindow,
  search: Search,
): Significance | undefined {
  const query = {
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    previous_start: new Date(before).toISOString(),
    ...countFilter(search),
    sentiment: search.sentiment,
  };
  return useQuery({
    queryKey: keys.aggregate.comparison(query),
    queryFn: ({ signal }) => getComparison(query, signal),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  }).data?.change.significance;
}
