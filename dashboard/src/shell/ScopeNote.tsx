import type { Search } from "@/lib/search";

/** Explains that figures and charts ignore the filter by minimum confidence. */
export function ScopeNote({ search }: { search: Search }) {
  if (search.min === undefined) return null;
  return (
    <p role="note" className="mb-4 text-sm text-quiet">
      Minimum confidence applies to the feed and to lists of posts. Figures and charts count all posts.
    </p>
  );
}
