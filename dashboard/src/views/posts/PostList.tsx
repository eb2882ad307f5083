import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import { useNow } from "@/lib/useNow";
import type { LivePost } from "@/live/post";
import { PostRow } from "@/posts/PostRow";

interface PostListProps {
  posts: readonly LivePost[];
  hasMore: boolean;
  loadingMore: boolean;
  loadMore: () => void;
}

/** Rows left below the window when the next page is asked for. */
const AHEAD = 20;

/** Any number of posts; only those in sight are in the page. */
export function PostList({ posts, hasMore, loadingMore, loadMore }: PostListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const now = useNow(10_000);
  const rows = useVirtualizer({
    count: posts.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 98,
    getItemKey: (index) => posts[index]?.id ?? index,
    overscan: 8,
  });
  const items = rows.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !loadingMore && lastShown >= posts.length - AHEAD) loadMore();
  }, [hasMore, loadingMore, loadMore, lastShown, posts.length]);
  return (
    <section
      ref={scroller}
      aria-label="Posts"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="h-full overflow-x-hidden overflow-y-auto overscroll-contain"
    >
      <div className="relative w-full" style={{ height: rows.getTotalSize() }}>
        {items.map(({ index, key, start }) => {
          const post = posts[index];
          return (
            post && (
              <div
                key={key}
                ref={rows.measureElement}
                data-index={index}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${start}px)` }}
              >
                <PostRow post={post} now={now} />
              </div>
            )
          );
        })}
      </div>
      <p role="status" className="px-4 py-3 text-center text-xs text-quiet">
        {loadingMore ? "Loading more" : hasMore ? "" : "That is all of them"}
      </p>
    </section>
  );
}
