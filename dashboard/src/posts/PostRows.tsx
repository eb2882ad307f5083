import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect } from "react";
import type { LivePost } from "@/live/post";
import { LINE_HEIGHT, PostLine } from "./PostLine";
import { PostRow } from "./PostRow";
import { setSequence } from "./sequence";
import { usePostLink } from "./usePostLink";

interface PostRowsProps {
  posts: readonly LivePost[];
  now: number;
  /** The scrolling element. `null` until it is mounted. */
  scroller: HTMLElement | null;
  /** Whether new rows fade in. */
  live?: boolean;
  /** Whether there is room for columns. */
  wide?: boolean;
  /** Called with the index of the last visible row. */
  onShown?: (index: number) => void;
}

/** The estimated height of a row. Each row is measured once it is shown. */
const ROW_HEIGHT = 78;

/** A virtual list of posts. */
export function PostRows({ posts, now, scroller, live = false, wide = false, onShown }: PostRowsProps) {
  const link = usePostLink();
  const rows = useVirtualizer({
    count: posts.length,
    getScrollElement: () => scroller,
    estimateSize: () => (wide ? LINE_HEIGHT : ROW_HEIGHT),
    getItemKey: (index) => posts[index]?.id ?? index,
    overscan: 4,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => onShown?.(last), [onShown, last]);
  useEffect(() => setSequence(posts.map(({ id }) => id)), [posts]);
  return (
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
              {wide ? (
                <PostLine post={post} now={now} link={link} />
              ) : (
                <PostRow post={post} now={now} link={link} fresh={live && isFresh(post)} />
              )}
            </div>
          )
        );
      })}
    </div>
  );
}

/** Only posts younger than this fade in, so that scrolling back does not animate. */
const FRESH_MS = 5_000;

function isFresh({ ingestedAt }: LivePost): boolean {
  return Date.now() - ingestedAt < FRESH_MS;
}
