import type { Search } from "@/lib/search";

/** Says which filter the figures do not know. */
export function ScopeNote({ search }: { search: Search }) {
  if (search.min === undefined) return null;
  return (
    <p role="note" className="mb-4 text-sm text-quiet">
      The least confidence narrows the feed and the lists of posts. Figures and charts count all posts.
    </p>
  );
}
