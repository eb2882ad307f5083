import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { getAggregate } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { countFilter, snapshot } from "@/api/queries";
import type { Bucket, Period } from "@/api/types";
import type { CourseProps } from "@/charts/course";
import { zone } from "@/lib/format";
import { allOf } from "@/lib/metrics";
import { bucketLength } from "@/lib/range";
import type { Search } from "@/lib/search";
import { AlertOnThis } from "@/shell/AlertOnThis";
import { Card } from "@/ui/Card";
import { Choice } from "@/ui/Choice";
import { lazyPart } from "@/ui/lazy";
import { ErrorState, Skeleton } from "@/ui/states";
import { CourseTable } from "./CourseTable";
import type { Periods } from "./periods";

const CourseChart = lazyPart(async () => (await import("@/charts/CourseChart")).default);

const MEASURES = [
  { value: "posts", label: "Posts" },
  { value: "positive", label: "Positive" },
  { value: "negative", label: "Negative" },
  { value: "net", label: "Net" },
] as const;
export type Measure = (typeof MEASURES)[number]["value"];
const WAYS = [
  { value: "chart", label: "Chart" },
  { value: "table", label: "Table" },
] as const;

interface CourseCardProps extends Periods {
  search: Search;
  period: Period;
}

/** Both periods in one chart, aligned at their start. */
export function CourseCard({ search, later, earlier, period }: CourseCardProps) {
  const [measure, setMeasure] = useState<Measure>("posts");
  const [shown, setShown] = useState<"chart" | "table">("chart");
  const is = useBuckets(later, period, search);
  const was = useBuckets(earlier, period, search);
  // An unfinished bucket would look like a drop.
  const hasEnded = ({ timestamp }: Bucket) => Date.parse(timestamp) + bucketLength(period) <= later.end;
  const error = is.error ?? was.error;
  const retry = () => {
    void is.refetch();
    void was.refetch();
  };
  return (
    <Card
      title="Over time"
      note={zone()}
      action={
        <span className="flex flex-wrap gap-2">
          <AlertOnThis
            search={
              measure === "positive" || measure === "negative" ? { ...search, sentiment: measure } : search
            }
          />
          <Choice label="Show" value={measure} options={MEASURES} onChange={setMeasure} />
          <Choice label="Show as" value={shown} options={WAYS} onChange={setShown} />
        </span>
      }
    >
      <div className="h-64 md:h-72">
        {error ? (
          <ErrorState error={error} retry={retry} />
        ) : is.data && was.data ? (
          <Course
            later={is.data.filter(hasEnded).map((bucket) => pointOf(bucket, measure))}
            earlier={was.data.map((bucket) => pointOf(bucket, measure))}
            period={period}
            unit={measure === "posts" ? "posts" : measure === "net" ? "points" : "percent"}
            shown={shown}
          />
        ) : (
          <Skeleton className="h-full" />
        )}
      </div>
    </Card>
  );
}

function Course({ shown, ...course }: CourseProps & { shown: "chart" | "table" }) {
  if (shown === "table") return <CourseTable {...course} />;
  return <CourseChart {...course} />;
}

function useBuckets({ start, end }: Periods["later"], period: Period, search: Search) {
  const { sentiment } = search;
  const query = {
    period,
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    ...countFilter(search),
    sentiment,
    tz: period === "day" ? zone() : undefined,
  };
  return useQuery({
    queryKey: keys.aggregate.buckets(query),
    queryFn: ({ signal }) => snapshot(() => getAggregate(query, signal)),
    select: ({ answer }) => answer.data,
    placeholderData: keepPreviousData,
  });
}

/** The value of a bucket. If no post has a sentiment, shares and net sentiment are `null`, and the line has a gap. */
function pointOf(bucket: Bucket, measure: Measure): { time: number; value: number | null } {
  const time = Date.parse(bucket.timestamp);
  if (measure === "posts") return { time, value: allOf(bucket) };
  if (bucket.total_count === 0) return { time, value: null };
  if (measure === "net") return { time, value: bucket.positive_percentage - bucket.negative_percentage };
  return { time, value: bucket[`${measure}_percentage`] };
}
