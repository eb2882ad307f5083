import { useMemo } from "react";
import { countFilter, useDistributionQuery } from "@/api/queries";
import type { Distribution } from "@/api/types";
import { DAY } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useLive } from "@/live/LiveProvider";
import { distributionWith } from "@/live/overlay";

export interface DistributionState {
  data: Distribution | undefined;
  error: unknown;
  retry: () => void;
}

/** The distribution of the last 24 hours, live: of all sentiments, whichever is chosen. */
export function useDistribution(search: Search): DistributionState {
  const query = useDistributionQuery(24, countFilter(search));
  const arrivals = useLive((state) => state.arrivals);
  const complete = !search.sentiment;
  const data = useMemo(() => {
    if (!query.data) return undefined;
    const { answer, asOf } = query.data;
    if (!complete) return answer;
    const recent = asOf - DAY;
    const later = arrivals.filter(({ post, at }) => at > asOf && post.createdAt > recent);
    return distributionWith(
      answer,
      later.map(({ post }) => post),
    );
  }, [query.data, arrivals, complete]);
  return { data, error: query.data ? null : query.error, retry: () => void query.refetch() };
}
