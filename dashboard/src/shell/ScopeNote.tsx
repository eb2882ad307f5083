import type { Search } from "@/lib/search";

/** Says which filters the figures do not know: they are counted by time, source and emotion. */
export function ScopeNote({ search }: { search: Search }) {
  if (!search.q && !search.author && search.min === undefined) return null;
  return (
    <p role="note" className="mb-4 text-sm text-quiet">
      The search narrows the feed and the lists of posts. Figures and charts count all posts.
    </p>
  );
}
