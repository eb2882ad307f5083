import { type MouseEvent, useMemo } from "react";
import { parseSearch, writeQuery } from "@/lib/search";
import { useView } from "@/shell/useView";

/** The way to the details of a post from wherever one is. */
export interface PostLink {
  href: (id: string) => string;
  open: (event: MouseEvent<HTMLAnchorElement>, id: string) => void;
}

/** One for a whole list: rows come by the hundred, and each router link would watch the URL by itself. */
export function usePostLink(): PostLink {
  const { search, change } = useView();
  return useMemo(
    () => ({
      href: (id) => writeQuery({ ...parseSearch({ ...search, post: id }) }),
      open: (event, id) => {
        // A click for another tab or window stays the browser's.
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        change({ post: id });
      },
    }),
    [search, change],
  );
}
