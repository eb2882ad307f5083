import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useTopicsQuery } from "@/api/queries";
import { getTopicShares } from "@/api/topics";
import type { TopicShare } from "@/api/types";
import { difference, relativeChange } from "@/lib/metrics";
import { bucketLength } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useWindow } from "../overview/useComparison";

/** A topic in the chosen time beside the period before. */
export interface ComparedShare extends TopicShare {
  /** Posts in each bucket of the chosen time. */
  course: number[];
  /** Change of the number of posts in percent; `null` when there were none before. */
  change: number | null;
  /** Change of the net sentiment in points; `null` when there is nothing to compare. */
  netChange: number | null;
}

/** How the posts of the chosen time divide between the topics, and how that was before. */
export function useShares(search: Search) {
  const window = useWindow(search);
  const bounds = (start: number, end: number) => ({
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    source: search.source,
  });
  // While old posts are being matched the shares change with the totals.
  const matched = useTopicsQuery().data?.map(({ posts }) => posts.total);
  const now = useQuery({
    queryKey: ["topics", "share", bounds(window.start, window.end), window.period, matched],
    queryFn: ({ signal }) =>
      getTopicShares({ ...bounds(window.start, window.end), period: window.period }, signal),
    placeholderData: keepPreviousData,
  });
  const before = useQuery({
    queryKey: ["topics", "share", bounds(window.before, window.start), matched],
    queryFn: ({ signal }) => getTopicShares(bounds(window.before, window.start), signal),
    placeholderData: keepPreviousData,
  });
  // A bucket that has not ended would draw a fall that did not happen.
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
