import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { getPosts, type PostsQuery } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { windowOf } from "@/lib/range";
import { type Search, topicFilter } from "@/lib/search";
import { fromPost } from "@/live/post";

const PAGE = 100;

/** The API parameters of a search. */
export function postsQuery(search: Search, now: number): PostsQuery {
  const window = windowOf(search, now);
  return {
    ...topicFilter(search),
    source: search.source,
    sentiment: search.sentiment,
    emotion: search.emotion,
    author: search.author,
    lang: search.lang,
    q: search.q,
    min_confidence: search.min,
    sort: search.sort,
    start_date: new Date(window.start).toISOString(),
    // A range that ends now has no end date, so that it includes posts that arrive later.
    end_date: window.live ? undefined : new Date(window.end).toISOString(),
  };
}

/** The posts of a search, page by page. The list is not refetched automatically. */
export function usePosts(search: Search) {
  const { range, from, to, topic, sentiment_of, source, sentiment, emotion, author, lang, min, q, sort } =
    search;
  const filter = useMemo(
    () =>
      postsQuery(
        { range, from, to, topic, sentiment_of, source, sentiment, emotion, author, lang, min, q, sort },
        Date.now(),
      ),
    [range, from, to, topic, sentiment_of, source, sentiment, emotion, author, lang, min, q, sort],
  );
  const query = useInfiniteQuery({
    queryKey: keys.posts.list(filter),
    queryFn: ({ pageParam, signal }) => getPosts({ ...filter, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: false,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const posts = useMemo(() => query.data?.pages.flatMap((page) => page.posts.map(fromPost)), [query.data]);
  return { query, filter, posts, first: query.data?.pages[0] };
}
