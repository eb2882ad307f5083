import { Link } from "@tanstack/react-router";
import type { Sentiment } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { SENTIMENT_COLORS } from "@/lib/labels";
import { cx } from "@/ui/cx";
import { SentimentGlyph } from "@/ui/marks";
import { SignificanceNote } from "@/ui/SignificanceNote";
import { Skeleton } from "@/ui/states";
import type { Metric } from "./metricList";

/** Six key figures, each with a link to its posts. */
export function MetricCards({
  metrics,
  against,
}: {
  metrics: readonly Metric[] | undefined;
  against: string;
}) {
  return (
    <ul
      aria-label="Key figures"
      className="grid grid-cols-2 gap-3 @min-[560px]:grid-cols-3 @min-[560px]:gap-4 @min-[1100px]:grid-cols-6"
    >
      {metrics
        ? metrics.map((metric) => (
            <li key={metric.key} className="@container min-w-0">
              <MetricCard metric={metric} against={against} />
            </li>
          ))
        : PLACES.map((place) => (
            <li key={place} className="card flex h-21 flex-col gap-3 p-4">
              <Skeleton className="h-4 w-20" />
              <Skeleton className="h-7 w-24" />
            </li>
          ))}
    </ul>
  );
}

const PLACES = ["posts", "positive", "neutral", "negative", "net", "confidence"];

function MetricCard({ metric, against }: { metric: Metric; against: string }) {
  const { title, label, value, exact, change, spark, sparkSpan, search } = metric;
  return (
    <Link
      to="/posts"
      search={search}
      className={cx(
        "card grid h-full grid-cols-1 content-between overflow-hidden transition-colors duration-150 hover:border-strong",
        "@min-[15rem]:grid-cols-[minmax(0,1fr)_5.5rem] @min-[15rem]:items-center",
      )}
    >
      <span className="flex min-w-0 flex-col px-4 pt-3 @min-[15rem]:pb-3">
        <span className="flex items-center gap-1.5 text-sm text-quiet">
          {label && <SentimentGlyph label={label} />}
          <span className="truncate">{title}</span>
        </span>{" "}
        <span className="flex flex-col @min-[15rem]:flex-row @min-[15rem]:items-baseline @min-[15rem]:gap-2">
          <span className="tabular text-2xl font-semibold" title={exact}>
            {value}
          </span>{" "}
          {change && (
            <span
              className="tabular text-xs whitespace-nowrap text-quiet"
              title={`${change.long}, compared with ${against}`}
            >
              {change.short}
              {change.significant !== null && (
                <SignificanceNote significant={change.significant} className="block" />
              )}
            </span>
          )}
        </span>
      </span>
      <span className="px-4 pt-1 pb-3 @min-[15rem]:py-4 @min-[15rem]:pl-0">
        <Sparkline
          values={spark}
          span={sparkSpan}
          color={label ? colorOf(label) : "var(--color-quiet)"}
          className="h-5 @min-[15rem]:h-9"
        />
      </span>
    </Link>
  );
}

function colorOf(label: Sentiment): string {
  return SENTIMENT_COLORS[label];
}
