import { useCallback, useState } from "react";
import { useMedia } from "@/lib/useMedia";
import { useNow } from "@/lib/useNow";
import type { LivePost } from "@/live/post";
import { PostLineHead } from "@/posts/PostLine";
import { PostRows } from "@/posts/PostRows";

interface PostListProps {
  posts: readonly LivePost[];
  hasMore: boolean;
  loadingMore: boolean;
  loadMore: () => void;
}

/** Rows left below the window when the next page is asked for. */
const AHEAD = 20;

/** The posts found; more are read as one scrolls. */
export function PostList({ posts, hasMore, loadingMore, loadMore }: PostListProps) {
  const [scroller, setScroller] = useState<HTMLElement | null>(null);
  const now = useNow(10_000);
  const wide = useMedia("(min-width: 1024px)");
  const readAhead = useCallback(
    (shown: number) => {
      if (hasMore && !loadingMore && shown >= posts.length - AHEAD) loadMore();
    },
    [hasMore, loadingMore, loadMore, posts.length],
  );
  return (
    <section
      ref={setScroller}
      aria-label="Posts"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
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
      <p role="status" className="px-4 py-3 text-center text-xs text-quiet">
        {loadingMore ? "Loading more" : hasMore ? "" : "That is all of them"}
      </p>
    </section>
  );
}
