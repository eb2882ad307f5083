import { Link } from "@tanstack/react-router";
import type { Sentiment } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { SENTIMENT_COLORS } from "@/lib/labels";
import { SentimentGlyph } from "@/ui/marks";
import { Skeleton } from "@/ui/states";
import type { Metric } from "./metricList";

/** The mood in six numbers, each a way to the posts behind it. */
export function MetricCards({
  metrics,
  against,
}: {
  metrics: readonly Metric[] | undefined;
  against: string;
}) {
  return (
    <ul aria-label="Key figures" className="grid grid-cols-2 gap-4 sm:grid-cols-3 min-[1500px]:grid-cols-6">
      {metrics
        ? metrics.map((metric) => (
            <li key={metric.key} className="min-w-0">
              <MetricCard metric={metric} against={against} />
            </li>
          ))
        : PLACES.map((place) => (
            <li key={place} className="card flex h-[108px] flex-col gap-3 p-4">
              <Skeleton className="h-4 w-20" />
              <Skeleton className="h-8 w-24" />
            </li>
          ))}
    </ul>
  );
}

const PLACES = ["posts", "positive", "neutral", "negative", "net", "confidence"];

function MetricCard({ metric, against }: { metric: Metric; against: string }) {
  const { title, label, value, exact, change, spark, search } = metric;
  return (
    <Link
      to="/posts"
      search={search}
      className="card flex h-full min-h-[108px] flex-col overflow-hidden transition-colors duration-150 hover:border-strong"
    >
      <span className="flex items-center gap-1.5 px-4 pt-3 text-sm text-quiet">
        {label && <SentimentGlyph label={label} />}
        <span className="truncate">{title}</span>
      </span>{" "}
      <span className="flex flex-wrap items-baseline gap-x-2 px-4">
        <span className="tabular text-2xl font-semibold" title={exact}>
          {value}
        </span>{" "}
        {change && (
          <span
            className="tabular text-xs whitespace-nowrap text-quiet"
            title={`${change.long}, compared with ${against}`}
          >
            {change.short}
          </span>
        )}
      </span>
      <span className="mt-auto px-1 pb-1">
        <Sparkline values={spark} color={label ? colorOf(label) : "var(--color-quiet)"} />
      </span>
    </Link>
  );
}

function colorOf(label: Sentiment): string {
  return SENTIMENT_COLORS[label];
}
