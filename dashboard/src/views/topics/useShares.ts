import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { useTopicsQuery } from "@/api/queries";
import { getTopicShares } from "@/api/topics";
import type { TopicShare } from "@/api/types";
import { difference, relativeChange } from "@/lib/metrics";
import { bucketLength } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useWindow } from "../overview/useComparison";

/** The share of a topic, compared with the period before. */
export interface ComparedShare extends TopicShare {
  /** Posts per bucket. */
  course: number[];
  /** The change of the number of posts in percent, or `null` when there were none before. */
  change: number | null;
  /** The change of the net sentiment in points, or `null` when there is nothing to compare. */
  netChange: number | null;
}

/** The shares of the topics in the chosen period and their change. */
export function useShares(search: Search) {
  const window = useWindow(search);
  const bounds = (start: number, end: number) => ({
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    source: search.source,
  });
  // During a backfill the shares change with the totals.
  const matched = useTopicsQuery().data?.map(({ posts }) => posts.total);
  const now = useQuery({
    queryKey: keys.topics.shares({ ...bounds(window.start, window.end), period: window.period }, matched),
    queryFn: ({ signal }) =>
      getTopicShares({ ...bounds(window.start, window.end), period: window.period }, signal),
    placeholderData: keepPreviousData,
  });
  const before = useQuery({
    queryKey: keys.topics.shares(bounds(window.before, window.beforeEnd), matched),
    queryFn: ({ signal }) => getTopicShares(bounds(window.before, window.beforeEnd), signal),
    placeholderData: keepPreviousData,
  });
  // An unfinished bucket would look like a drop.
  const buckets = now.data?.data?.filter(
    ({ timestamp }) => Date.parse(timestamp) + bucketLength(window.period) <= Date.now(),
  );
  const earlier = new Map(before.data?.topics.map((share) => [share.topic, share]));
  return {
    shares: now.data?.topics.map((share) => compared(share, earlier.get(share.topic), buckets ?? [])),
    mentions: now.data?.total_mentions ?? 0,
    posts: now.data?.total_posts ?? 0,
    error: now.data ? null : now.error,
    retry: () => void now.refetch(),
  };
}

function compared(
  share: TopicShare,
  before: TopicShare | undefined,
  buckets: readonly { topics: Record<string, number> }[],
): ComparedShare {
  const had = before !== undefined && before.total > 0;
  return {
    ...share,
    course: buckets.map(({ topics }) => topics[share.topic] ?? 0),
    change: relativeChange(share.total, before?.total ?? 0),
    netChange: had && share.total > 0 ? difference(share.net_sentiment, before.net_sentiment) : null,
  };
}
