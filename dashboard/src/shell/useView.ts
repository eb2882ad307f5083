import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { useExtentQuery } from "@/api/queries";
import { fittedRange } from "@/lib/fittedRange";
import { DEFAULT_RANGE, parseSearch, type Search } from "@/lib/search";

export interface View {
  search: Search;
  /** Changes some parameters of the URL. Typing replaces the history entry; choosing adds one. */
  change: (change: Partial<Search>, replace?: boolean) => void;
}

/** The state of the view, which is stored in the URL. */
export function useView(): View {
  // The router returns the parameters as they are in the URL, so they are parsed here.
  const chosen = useSearch({ strict: false, select: parseSearch, structuralSharing: true });
  const search = useFitted(chosen);
  const navigate = useNavigate();
  const change = useCallback(
    (part: Partial<Search>, replace = false) => {
      void navigate({
        to: ".",
        search: (old: Search) => parseSearch({ ...old, ...part }),
        replace,
        resetScroll: false,
      });
    },
    [navigate],
  );
  return { search, change };
}

/** The search with a range that fits the posts, when none was chosen. */
function useFitted(search: Search): Search {
  const isChosen = search.range !== undefined || search.from !== undefined;
  const { data: extent, dataUpdatedAt } = useExtentQuery(!isChosen);
  return useMemo(() => {
    if (isChosen || !extent) return search;
    // With the time of the answer, components that are mounted later get the same range.
    const range = fittedRange(extent, dataUpdatedAt);
    return range === DEFAULT_RANGE ? search : { ...search, range };
  }, [search, isChosen, extent, dataUpdatedAt]);
}
