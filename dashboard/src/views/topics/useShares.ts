import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { useTopicsQuery } from "@/api/queries";
import { getTopicShares } from "@/api/topics";
import type { TopicShare } from "@/api/types";
import { zone } from "@/lib/format";
import { allOf, difference, relativeChange } from "@/lib/metrics";
import { bucketLength, MINUTE } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { useWindow } from "../overview/useComparison";

/** The share of a topic, compared with the period before. */
export interface ComparedShare extends TopicShare {
  /** Posts per bucket. */
  course: number[];
  /** The change of the number of posts in percent, or `null` when there were none before. */
  change: number | null;
  /** The change of the net sentiment in points, or `null` if there is nothing to compare with. */
  netChange: number | null;
  /** The change of the topic's share of voice, or `null` if there is nothing to compare with. */
  shareChange: ShareChange | null;
}

/** A change in percentage points. */
export interface ShareChange {
  points: number;
  /** Whether the change is significant: the intervals of both shares do not overlap. */
  significant: boolean;
}

/** The shares of the topics in the chosen period and their change. */
export function useShares(search: Search) {
  const window = useWindow(search);
  const now = useNow(MINUTE);
  // An unfinished period is compared with one of equal length.
  const missing = Math.max(0, window.end - now);
  const bounds = (start: number, end: number) => ({
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    source: search.source,
    tz: window.period === "day" ? zone() : undefined,
  });
  // The totals are part of the query key, so that the shares are read again when a total changes.
  const topics = useTopicsQuery().data;
  const matched = topics?.map(({ posts }) => posts.total);
  // Without a backfill the earlier period seldom changes, and the periodic refetch is sufficient.
  const matchedBefore = topics?.some(({ backfill }) => backfill.running) ? matched : undefined;
  const later = useQuery({
    queryKey: keys.topics.shares({ ...bounds(window.start, window.end), period: window.period }, matched),
    queryFn: ({ signal }) =>
      getTopicShares({ ...bounds(window.start, window.end), period: window.period }, signal),
    placeholderData: keepPreviousData,
  });
  const before = useQuery({
    queryKey: keys.topics.shares(bounds(window.before, window.beforeEnd - missing), matchedBefore),
    queryFn: ({ signal }) => getTopicShares(bounds(window.before, window.beforeEnd - missing), signal),
    placeholderData: keepPreviousData,
  });
  // An unfinished bucket would look like a drop.
  const buckets = later.data?.data?.filter(
    ({ timestamp }) => Date.parse(timestamp) + bucketLength(window.period) <= Date.now(),
  );
  const earlier = new Map(before.data?.topics.map((share) => [share.topic, share]));
  return {
    shares: later.data?.topics.map((share) => compared(share, earlier.get(share.topic), buckets ?? [])),
    mentions: later.data?.total_mentions ?? 0,
    posts: later.data?.total_posts ?? 0,
    error: later.data ? null : later.error,
    retry: () => void later.refetch(),
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
    change: relativeChange(allOf(share), before ? allOf(before) : 0),
    shareChange: had ? shareChange(share, before) : null,
    netChange: had && share.total > 0 ? difference(share.net_sentiment, before.net_sentiment) : null,
  };
}

function shareChange(now: TopicShare, before: TopicShare): ShareChange {
  const [is, was] = [now.share_interval, before.share_interval];
  return {
    points: now.share - before.share,
    significant: is != null && was != null && (is.low > was.high || is.high < was.low),
  };
}
