import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect } from "react";
import type { LivePost } from "@/live/post";
import { LINE_HEIGHT, PostLine } from "./PostLine";
import { PostRow } from "./PostRow";
import { usePostLink } from "./usePostLink";

interface PostRowsProps {
  posts: readonly LivePost[];
  now: number;
  /** What scrolls; known once it is in the page, which is after its children. */
  scroller: HTMLElement | null;
  /** Rows fade in as they come. */
  live?: boolean;
  /** There is room for columns. */
  wide?: boolean;
  /** Told the last row in sight, for reading further. */
  onShown?: (index: number) => void;
}

/** The height of a row with one line of text; each is measured once it is shown. */
const ROW_HEIGHT = 78;

/** Any number of posts; only those in sight are in the page. */
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

/** Rows that one scrolls back to came long ago: they do not fade in again. */
const FRESH_MS = 5_000;

function isFresh({ ingestedAt }: LivePost): boolean {
  return Date.now() - ingestedAt < FRESH_MS;
}
