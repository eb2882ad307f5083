import { Link } from "@tanstack/react-router";
import { compact, count, percent } from "@/lib/format";
import { SENTIMENT_COLORS, SENTIMENTS } from "@/lib/labels";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import type { SourceShare, SourceShares } from "./useSourceShares";

interface SourceCardProps {
  sources: SourceShares;
  search: Search;
}

/** The number and the sentiment of each source's posts. */
export function SourceCard({ sources: { shares, error }, search }: SourceCardProps) {
  return (
    <Card title="Sources" className="@min-[560px]:col-span-2 @min-[900px]:col-span-1">
      {error ? (
        <ErrorState error={error} />
      ) : shares === undefined ? (
        <Skeleton className="h-44" />
      ) : shares.length === 0 ? (
        <EmptyState title="No posts in this period" />
      ) : (
        <ul className="flex flex-col text-sm">
          <li aria-hidden="true" className="flex gap-2 text-xs text-quiet">
            <span className="flex-1">Source</span>
            <span>Posts</span>
            <span className="w-12 text-right">{search.sentiment ? "Share" : "Net"}</span>
          </li>
          {shares.map((share) => (
            <SourceRow key={share.source} share={share} search={search} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function SourceRow({ share, search }: { share: SourceShare; search: Search }) {
  const { source, posts, mood } = share;
  return (
    <li>
      <Link
        to="/posts"
        search={withSearch(search, { source })}
        title={SENTIMENTS.map((label) => `${label} ${percent(share.shares[label])}`).join(", ")}
        className="-mx-2 flex flex-col gap-1 rounded-md px-2 py-1.5 hover:bg-raised"
      >
        <span className="flex items-baseline gap-2">
          <span className="min-w-0 flex-1 truncate">{source}</span>
          <span className="tabular text-quiet" title={`${count(posts)} posts`}>
            {compact(posts)}
          </span>
          <span
            className="tabular w-12 text-right"
            title={search.sentiment ? "Share of the source's posts" : "Net sentiment"}
          >
            {mood}
          </span>
        </span>
        <span aria-hidden="true" className="flex h-2 gap-px overflow-hidden rounded-full bg-raised">
          {SENTIMENTS.map((label) => (
            <span
              key={label}
              style={{
                width: `${share.shares[label] ?? 0}%`,
                backgroundColor: SENTIMENT_COLORS[label],
                opacity: search.sentiment && search.sentiment !== label ? 0.25 : 1,
              }}
            />
          ))}
        </span>
      </Link>
    </li>
  );
}
