import { compact, count, plural } from "@/lib/format";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { FEED_LIMIT } from "@/live/feed";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { ExportMenu } from "./ExportMenu";
import { Histogram } from "./Histogram";
import { MoreFilters } from "./MoreFilters";
import { PostList } from "./PostList";
import { SortMenu } from "./SortMenu";
import { useNewCount } from "./useNewCount";
import { usePosts } from "./usePosts";

/** The posts view: search and explore posts. */
export function Posts() {
  const { search } = useView();
  const { query, filter, posts, first } = usePosts(search);
  const waiting = useNewCount(search, Date.parse(filter.start_date ?? ""), posts);
  return (
    <div className="card flex min-h-80 flex-1 flex-col overflow-hidden">
      <div className="flex min-h-12 flex-wrap items-center gap-2 border-b border-border px-4 py-1.5 text-sm">
        <p
          role="status"
          className="tabular mr-auto text-quiet"
          title={first && `${count(first.total)} posts`}
        >
          {first &&
            `${compact(first.total)}${first.total_capped ? "+" : ""} ${first.total === 1 ? "post" : "posts"}`}
        </p>
        {waiting > 0 && (
          <Button look="solid" className="animate-appear" onClick={() => void query.refetch()}>
            {waiting >= FEED_LIMIT ? `${FEED_LIMIT}+ new posts` : plural(waiting, "new post")}
          </Button>
        )}
        <MoreFilters />
        <SortMenu />
        <ExportMenu query={filter} />
      </div>
      <Histogram search={search} />
      <div className="min-h-0 flex-1">
        {query.error && !posts ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !posts ? (
          <SkeletonRows rows={8} />
        ) : posts.length === 0 ? (
          <NoMatches />
        ) : (
          <PostList
            posts={posts}
            hasMore={query.hasNextPage}
            loadingMore={query.isFetchingNextPage}
            error={query.isFetchNextPageError ? query.error : null}
            loadMore={query.fetchNextPage}
          />
        )}
      </div>
    </div>
  );
}

function NoMatches() {
  const { search, change } = useView();
  const filtered = filterCount(search) > 0;
  return (
    <EmptyState title="No posts match">
      <p>No posts in this period{filtered ? " with these filters" : ""}.</p>
      <div className="flex flex-wrap justify-center gap-2">
        {search.range !== "30d" && (
          <Button onClick={() => change({ range: "30d", from: undefined, to: undefined })}>
            Show the last 30 days
          </Button>
        )}
        {filtered && <Button onClick={() => change(NO_FILTERS)}>Clear filters</Button>}
      </div>
    </EmptyState>
  );
}
