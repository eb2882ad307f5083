import { type FocusEvent, useState } from "react";
import type { Feed } from "./feed";
import { useLive } from "./LiveProvider";
import type { LivePost } from "./post";

export interface PausedFeed {
  posts: readonly LivePost[];
  loaded: boolean;
  /** Posts that came since the feed stands still. */
  waiting: number;
  resume: () => void;
  /** To be spread on what holds the rows and the way to those that wait. */
  handlers: {
    onPointerMove: () => void;
    onPointerLeave: () => void;
    onFocus: () => void;
    onBlur: (event: FocusEvent) => void;
  };
  /** For the element that scrolls. */
  onScroll: () => void;
}

/** The feed, standing still while someone reads: under the pointer, with the focus, or scrolled. */
export function usePausedFeed(scroller: HTMLElement | null): PausedFeed {
  const feed = useLive((state) => state.feed);
  const loaded = useLive((state) => state.loaded);
  const [frozen, setFrozen] = useState<Feed | null>(null);
  // After another filter was chosen a frozen feed is of the past.
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

/** A deleted post leaves a feed that stands still too. */
function withoutDeleted(frozen: Feed, feed: Feed): readonly LivePost[] {
  return feed.deleted.size === 0 ? frozen.posts : frozen.posts.filter(({ id }) => !feed.deleted.has(id));
}
