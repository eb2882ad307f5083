import { type FocusEvent, useState } from "react";
import type { Feed } from "./feed";
import { useLive } from "./LiveProvider";
import type { LivePost } from "./post";

export interface PausedFeed {
  posts: readonly LivePost[];
  loaded: boolean;
  /** The error of the last read, or `null`. */
  error: unknown;
  /** The number of posts since the feed was paused. */
  waiting: number;
  resume: () => void;
  /** Handlers for the element that contains the rows and the button. */
  handlers: {
    onPointerMove: () => void;
    onPointerLeave: () => void;
    onFocus: () => void;
    onBlur: (event: FocusEvent) => void;
  };
  /** Handler for the scrolling element. */
  onScroll: () => void;
}

/** The feed, paused while it is hovered, focused or scrolled. */
export function usePausedFeed(scroller: HTMLElement | null): PausedFeed {
  const feed = useLive((state) => state.feed);
  const loaded = useLive((state) => state.loaded);
  const error = useLive((state) => state.error);
  const [frozen, setFrozen] = useState<Feed | null>(null);
  // A frozen feed of an earlier filter is discarded.
  const current = frozen && frozen.seen === feed.seen ? frozen : null;
  const freeze = () => {
    if (loaded && !current) setFrozen(feed);
  };
  const thaw = () => {
    const top = scroller?.scrollTop ?? 0;
    if (top <= 0) setFrozen(null);
  };
  return {
    posts: current ? withoutDeleted(current, feed) : feed.posts,
    loaded,
    error,
    waiting: current ? feed.received - current.received : 0,
    resume: () => {
      setFrozen(null);
      scroller?.scrollTo({ top: 0 });
    },
    handlers: {
      onPointerMove: freeze,
      onPointerLeave: thaw,
      onFocus: freeze,
      onBlur: ({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget)) thaw();
      },
    },
    onScroll: () => {
      if ((scroller?.scrollTop ?? 0) > 0) freeze();
    },
  };
}

/** Removes deleted posts from a frozen feed. */
function withoutDeleted(frozen: Feed, feed: Feed): readonly LivePost[] {
  return feed.deleted.size === 0 ? frozen.posts : frozen.posts.filter(({ id }) => !feed.deleted.has(id));
}
