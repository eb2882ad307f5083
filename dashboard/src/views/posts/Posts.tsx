import { count } from "@/lib/format";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { PostList } from "./PostList";
import { usePosts } from "./usePosts";

/** Search and explore posts. */
export function Posts() {
  const { search } = useView();
  const { query, posts, first } = usePosts(search);
  return (
    <div className="card mx-auto flex h-[calc(100dvh-12.5rem)] max-w-[80rem] flex-col overflow-hidden md:h-[calc(100dvh-5.5rem)]">
      <div className="flex min-h-11 items-center border-b border-border px-4 text-sm text-quiet">
        <p role="status" className="tabular">
          {first ? `${count(first.total)}${first.total_capped ? "+" : ""} posts` : ""}
        </p>
      </div>
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
      <p>There is nothing in this time{filtered ? " with these filters" : ""}.</p>
      <div className="flex gap-2">
        {search.range !== "30d" && (
          <Button onClick={() => change({ range: "30d", from: undefined, to: undefined })}>
            Look at the last 30 days
          </Button>
        )}
        {filtered && <Button onClick={() => change(NO_FILTERS)}>Clear filters</Button>}
      </div>
    </EmptyState>
  );
}
