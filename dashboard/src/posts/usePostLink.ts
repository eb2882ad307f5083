import { type MouseEvent, useMemo } from "react";
import { parseSearch, writeQuery } from "@/lib/search";
import { useView } from "@/shell/useView";

/** Links to the details of a post. */
export interface PostLink {
  href: (id: string) => string;
  open: (event: MouseEvent<HTMLAnchorElement>, id: string) => void;
}

/** Makes the links of a list of posts. Router links would subscribe each of hundreds of rows to the URL. */
export function usePostLink(): PostLink {
  const { search, change } = useView();
  return useMemo(
    () => ({
      href: (id) => writeQuery({ ...parseSearch({ ...search, post: id }) }),
      open: (event, id) => {
        // The browser handles clicks that open a tab or window.
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        change({ post: id });
      },
    }),
    [search, change],
  );
}
