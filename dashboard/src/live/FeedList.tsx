import { useRef } from "react";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { PostRow } from "@/posts/PostRow";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Command, EmptyState, SkeletonRows } from "@/ui/states";
import type { PausedFeed } from "./usePausedFeed";
import { usePausedFeed } from "./usePausedFeed";

/** Times are told anew this often. */
const TELL_MS = 5_000;

/** What people say right now, in a box that scrolls by itself. */
export function FeedList({ most, className }: { most: number; className?: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const feed = usePausedFeed(scroller);
  return (
    <div className={cx("relative min-h-0", className)}>
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
        ref={scroller}
        aria-label="Newest posts"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="h-full overflow-x-hidden overflow-y-auto overscroll-contain"
        {...feed.handlers}
      >
        <FeedRows feed={feed} most={most} />
      </section>
    </div>
  );
}

function FeedRows({ feed, most }: { feed: PausedFeed; most: number }) {
  const now = useNow(TELL_MS);
  if (!feed.loaded && feed.posts.length === 0) return <SkeletonRows />;
  if (feed.posts.length === 0) return <NoPosts />;
  return feed.posts.slice(0, most).map((post) => <PostRow key={post.id} post={post} now={now} fresh />);
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
