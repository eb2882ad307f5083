import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { Distribution, Sentiment } from "@/api/types";
import { compact, count, percent } from "@/lib/format";
import { SENTIMENTS } from "@/lib/labels";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { cx } from "@/ui/cx";
import { SentimentMark } from "@/ui/marks";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { useDistribution } from "./useDistribution";

const Donut = lazy(() => import("@/charts/Donut"));

/** What the mood of the last 24 hours is made of. */
export function DistributionCard({ search }: { search: Search }) {
  const { data, error, retry } = useDistribution(search);
  return (
    <Card title="Last 24 hours">
      <div className="grid h-full min-h-44 items-center">
        {error ? (
          <ErrorState error={error} retry={retry} />
        ) : data ? (
          <Shares data={data} search={search} />
        ) : (
          <Skeleton className="mx-auto size-40 rounded-full" />
        )}
      </div>
    </Card>
  );
}

function Shares({ data, search }: { data: Distribution; search: Search }) {
  const navigate = useNavigate();
  if (data.total === 0) return <EmptyState title="No posts in the last 24 hours" />;
  const postsOf = (sentiment: Sentiment) =>
    withSearch(search, { range: "24h", from: undefined, to: undefined, sentiment });
  return (
    <div className="flex max-h-96 flex-wrap items-center justify-center gap-x-6 gap-y-4">
      <div className="relative size-40 shrink-0">
        <Suspense>
          <Donut
            counts={data.distribution}
            only={search.sentiment}
            onPick={(label) => void navigate({ to: "/posts", search: postsOf(label) })}
          />
        </Suspense>
        <p className="pointer-events-none absolute inset-0 flex flex-col items-center justify-center">
          <span className="tabular text-xl font-semibold" title={count(data.total)}>
            {compact(data.total)}
          </span>
          <span className="text-xs text-quiet">posts</span>
        </p>
      </div>
      <ul className="min-w-40 flex-1 text-sm">
        {SENTIMENTS.map((label) => (
          <li key={label}>
            <Link
              to="/posts"
              search={postsOf(label)}
              className={cx(
                "-mx-2 flex items-center gap-2 rounded-md px-2 py-1.5 hover:bg-raised",
                label === search.sentiment && "bg-raised",
              )}
            >
              <span className="flex-1">
                <SentimentMark label={label} />
              </span>{" "}
              <span className="tabular text-quiet" title={count(data.distribution[label])}>
                {compact(data.distribution[label])}
              </span>{" "}
              <span className="tabular w-14 text-right font-medium">{percent(data.percentages[label])}</span>
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
