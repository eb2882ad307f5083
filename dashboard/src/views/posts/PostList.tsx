import { useCallback, useState } from "react";
import { useMedia } from "@/lib/useMedia";
import { useNow } from "@/lib/useNow";
import type { LivePost } from "@/live/post";
import { PostLineHead } from "@/posts/PostLine";
import { PostRows } from "@/posts/PostRows";
import { ErrorState } from "@/ui/states";

interface PostListProps {
  posts: readonly LivePost[];
  hasMore: boolean;
  loadingMore: boolean;
  /** Why the next page could not be read, or `null`. */
  error: unknown;
  loadMore: () => void;
}

/** The next page is loaded when fewer rows than this number remain below the visible ones. */
const AHEAD = 20;

/** The list of posts. More posts are loaded on scroll. */
export function PostList({ posts, hasMore, loadingMore, error, loadMore }: PostListProps) {
  const [scroller, setScroller] = useState<HTMLElement | null>(null);
  const now = useNow(10_000);
  const wide = useMedia("(min-width: 1024px)");
  // After a failure, only the button reads the next page, because scrolling would repeat the request without end.
  const canReadAhead = hasMore && !loadingMore && !error;
  const readAhead = useCallback(
    (shown: number) => {
      if (canReadAhead && shown >= posts.length - AHEAD) loadMore();
    },
    [canReadAhead, loadMore, posts.length],
  );
  return (
    <section
      ref={setScroller}
      aria-label="Posts"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
      tabIndex={0}
      className="h-full overflow-x-hidden overflow-y-auto overscroll-contain"
    >
      {wide && (
        <div className="sticky top-0 z-10 bg-card">
          <PostLineHead />
        </div>
      )}
      <PostRows
        key={wide ? "wide" : "narrow"}
        posts={posts}
        now={now}
        scroller={scroller}
        wide={wide}
        onShown={readAhead}
      />
      {error && !loadingMore ? (
        <ErrorState error={error} retry={() => loadMore()} />
      ) : (
        <p role="status" className="px-4 py-3 text-center text-xs text-quiet">
          {loadingMore ? "Loading more" : hasMore ? "" : "End of list"}
        </p>
      )}
    </section>
  );
}
