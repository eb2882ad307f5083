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

/** The next page is loaded when fewer rows than this number remain below the visible ones. */
const AHEAD = 20;

/** The list of posts. More are loaded on scroll. */
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
      <p role="status" className="px-4 py-3 text-center text-xs text-quiet">
        {loadingMore ? "Loading more" : hasMore ? "" : "End of list"}
      </p>
    </section>
  );
}
