import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import { parseSearch, type Search } from "@/lib/search";

export interface View {
  search: Search;
  /** Changes some parameters of the URL. Typing replaces the history entry; choosing adds one. */
  change: (change: Partial<Search>, replace?: boolean) => void;
}

/** The state of the view, which lives in the URL. */
export function useView(): View {
  // The router hands out the parameters as they were typed, so they are parsed here.
  const search = useSearch({ strict: false, select: parseSearch, structuralSharing: true });
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
