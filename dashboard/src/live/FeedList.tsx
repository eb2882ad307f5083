import { useState } from "react";
import { plural } from "@/lib/format";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { PostRows } from "@/posts/PostRows";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Command, EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import type { PausedFeed } from "./usePausedFeed";
import { usePausedFeed } from "./usePausedFeed";

/** Relative times are updated at this interval. */
const TIMES_MS = 5_000;

/** The live feed in a scrolling box. */
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
        // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
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
  const now = useNow(TIMES_MS);
  const { search, change } = useView();
  if (feed.posts.length === 0 && feed.error) return <ErrorState error={feed.error} />;
  if (!feed.loaded && feed.posts.length === 0) return <SkeletonRows />;
  if (feed.posts.length > 0) return <PostRows posts={feed.posts} now={now} scroller={scroller} live />;
  if (filterCount(search) === 0) return <NoPosts />;
  return (
    <EmptyState title="No posts with these filters yet">
      <p>Matching posts appear here as they are analysed.</p>
      <Button onClick={() => change(NO_FILTERS)}>Clear filters</Button>
    </EmptyState>
  );
}

const EXAMPLE = `curl -X POST ${window.location.origin}/api/posts -H 'content-type: application/json' \\
  -d '{"post_id": "1", "source": "curl", "content": "What a day!"}'`;

function NoPosts() {
  return (
    <EmptyState title="No posts yet">
      <p>Posts appear here as they are analysed. Send one to try it:</p>
      <Command>{EXAMPLE}</Command>
    </EmptyState>
  );
}
