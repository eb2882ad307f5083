import { Link, useNavigate } from "@tanstack/react-router";
import { compact, count, percent } from "@/lib/format";
import { SENTIMENTS } from "@/lib/labels";
import type { Totals } from "@/lib/metrics";
import { rangeLabel } from "@/lib/rangeLabel";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { cx } from "@/ui/cx";
import { lazyPart } from "@/ui/lazy";
import { SentimentMark } from "@/ui/marks";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import type { ComparisonState } from "./useComparison";

const Donut = lazyPart(async () => (await import("@/charts/Donut")).default);

/** The shares of the sentiments in the chosen period. */
export function DistributionCard({ state, search }: { state: ComparisonState; search: Search }) {
  return (
    <Card title="Distribution" note={rangeLabel(search)}>
      <div className="grid h-full min-h-44 items-center">
        {state.error ? (
          <ErrorState error={state.error} retry={state.retry} />
        ) : state.data ? (
          <Shares totals={state.data.now} search={search} />
        ) : (
          <Skeleton className="mx-auto size-40 rounded-full" />
        )}
      </div>
    </Card>
  );
}

function Shares({ totals: { all, posts, counts, shares }, search }: { totals: Totals; search: Search }) {
  const navigate = useNavigate();
  if (posts === 0) return <EmptyState title="No posts in this period" />;
  return (
    <div className="flex max-h-96 flex-wrap items-center justify-center gap-x-6 gap-y-4">
      <div className="relative size-40 shrink-0">
        <Donut
          counts={counts}
          only={search.sentiment}
          onPick={(sentiment) => void navigate({ to: "/posts", search: withSearch(search, { sentiment }) })}
        />
        <p className="pointer-events-none absolute inset-0 flex flex-col items-center justify-center">
          <span className="tabular text-xl font-semibold" title={count(posts)}>
            {compact(posts)}
          </span>
          <span className="text-xs text-quiet">{posts < all ? "scored posts" : "posts"}</span>
        </p>
      </div>
      <ul className="min-w-40 flex-1 text-sm">
        {SENTIMENTS.map((label) => (
          <li key={label}>
            <Link
              to="/posts"
              search={withSearch(search, { sentiment: label })}
              className={cx(
                "-mx-2 flex items-center gap-2 rounded-md px-2 py-1.5 hover:bg-raised",
                label === search.sentiment && "bg-raised",
              )}
            >
              <span className="flex-1">
                <SentimentMark label={label} />
              </span>{" "}
              <span className="tabular text-quiet" title={count(counts[label])}>
                {compact(counts[label])}
              </span>{" "}
              <span className="tabular w-14 text-right font-medium">{percent(shares[label])}</span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
