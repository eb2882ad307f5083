import { useState } from "react";
import { plural } from "@/lib/format";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { PostRows } from "@/posts/PostRows";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Command, EmptyState, SkeletonRows } from "@/ui/states";
import type { PausedFeed } from "./usePausedFeed";
import { usePausedFeed } from "./usePausedFeed";

/** Times are told anew this often. */
const TELL_MS = 5_000;

/** What people say right now, in a box that scrolls by itself. */
export function FeedList({ className }: { className?: string }) {
  const [scroller, setScroller] = useState<HTMLElement | null>(null);
  const feed = usePausedFeed(scroller);
  return (
    <div className={cx("relative min-h-0", className)} {...feed.handlers}>
      {feed.waiting > 0 && (
        <div className="pointer-events-none absolute inset-x-0 top-2 z-10 flex justify-center">
          <Button
            look="solid"
            onClick={feed.resume}
            className="pointer-events-auto animate-appear rounded-full px-4"
          >
            {plural(feed.waiting, "new post")}
          </Button>
        </div>
      )}
      <section
        ref={setScroller}
        aria-label="Newest posts"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain"
        onScroll={feed.onScroll}
      >
        <FeedRows feed={feed} scroller={scroller} />
      </section>
    </div>
  );
}

function FeedRows({ feed, scroller }: { feed: PausedFeed; scroller: HTMLElement | null }) {
  const now = useNow(TELL_MS);
  const { search, change } = useView();
  if (!feed.loaded && feed.posts.length === 0) return <SkeletonRows />;
  if (feed.posts.length > 0) return <PostRows posts={feed.posts} now={now} scroller={scroller} live />;
  if (filterCount(search) === 0) return <NoPosts />;
  return (
    <EmptyState title="No posts with these filters yet">
      <p>They appear here as they are analysed.</p>
      <Button onClick={() => change(NO_FILTERS)}>Clear filters</Button>
    </EmptyState>
  );
}

const EXAMPLE = `curl -X POST ${window.location.origin}/api/posts -H 'content-type: application/json' \\
  -d '{"post_id": "1", "source": "curl", "content": "What a day!"}'`;

function NoPosts() {
  return (
    <EmptyState title="No posts yet">
      <p>They appear here as they are analysed. To try it, send one:</p>
      <Command>{EXAMPLE}</Command>
    </EmptyState>
  );
}
