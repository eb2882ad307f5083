import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getComparison } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { countFilter } from "@/api/queries";
import { count } from "@/lib/format";
import { MINUTE } from "@/lib/range";
import { type Search, withSearch } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { ScopeNote } from "@/shell/ScopeNote";
import { useView } from "@/shell/useView";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { spanText } from "../alerts/timeText";
import { BehindCard } from "../insights/BehindCard";
import { findingsOf } from "../insights/findings";
import { useInsight } from "../insights/useInsight";
import { WhatHappened } from "../insights/WhatHappened";
import { useWindow } from "../overview/useComparison";
import { AgainstPicker } from "./AgainstPicker";
import { CourseCard } from "./CourseCard";
import { EmotionTable } from "./EmotionTable";
import { MeasureTable } from "./MeasureTable";
import { periodsOf } from "./periods";

/** The compare view: two periods of the same length. */
export function Compare() {
  const { search } = useView();
  const window = useWindow(search);
  const now = useNow(MINUTE);
  const { later, earlier } = periodsOf(window, search.against, now);
  const { sentiment } = search;
  const periods = {
    start_date: new Date(later.start).toISOString(),
    end_date: new Date(later.end).toISOString(),
    previous_start: new Date(earlier.start).toISOString(),
    ...countFilter(search),
    sentiment,
  };
  const query = useQuery({
    queryKey: keys.aggregate.comparison(periods),
    queryFn: ({ signal }) => getComparison(periods, signal),
    placeholderData: keepPreviousData,
  });
  const { data } = query;
  const insight = useInsight(search, { start: later.start, end: later.end, before: earlier.start });
  const findings = findingsOf({ insight: insight.data, search });
  const text = ({ start, end }: { start: number; end: number }) =>
    spanText(new Date(start).toISOString(), new Date(end).toISOString());
  return (
    <>
      <ScopeNote search={search} />
      <div className="flex flex-col gap-4">
        <Card title="Periods">
          <div className="flex flex-col gap-3">
            <AgainstPicker start={earlier.start} />
            <dl className="grid grid-cols-1 gap-x-8 gap-y-1 text-sm sm:grid-cols-[auto_1fr]">
              <dt className="flex items-center gap-2 font-medium">
                <Stroke />
                Later period
              </dt>
              <dd className="tabular text-quiet">{text(later)}</dd>
              <dt className="flex items-center gap-2 font-medium">
                <Stroke dashed />
                Earlier period
              </dt>
              <dd className="tabular text-quiet">{text(earlier)}</dd>
            </dl>
          </div>
        </Card>
        {query.error && !data ? (
          <Card title="What changed">
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          </Card>
        ) : !data ? (
          <Skeleton className="h-72" />
        ) : data.current.total + data.previous.total === 0 ? (
          <Card title="What changed">
            <EmptyState title="No posts in either period">
              <p>Choose a longer range, another period to compare with, or remove a filter.</p>
            </EmptyState>
          </Card>
        ) : (
          <>
            {(data.current.total === 0 || data.previous.total === 0) && (
              <p role="note" className="text-sm text-quiet">
                {data.current.total === 0
                  ? `No posts in the later period, ${count(data.previous.total)} in the earlier one.`
                  : `No posts in the earlier period, ${count(data.current.total)} in the later one. There is nothing to compare with.`}
              </p>
            )}
            <WhatHappened findings={findings} />
            <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
              <MeasureTable data={data} search={search} later={later} earlier={earlier} />
              <EmotionTable data={data} search={search} later={later} earlier={earlier} />
            </div>
            {findings.length > 0 && (
              <div className="@container">
                <BehindCard query={insight} search={laterSearch(search, later)} />
              </div>
            )}
            <CourseCard search={search} later={later} earlier={earlier} period={window.period} />
          </>
        )}
      </div>
    </>
  );
}

/** The search for the posts of the later period. */
function laterSearch(search: Search, { start, end }: { start: number; end: number }): Search {
  return withSearch(search, {
    range: undefined,
    against: undefined,
    from: new Date(start).toISOString(),
    to: new Date(end).toISOString(),
  });
}

/** A sample of the line that shows a period in the chart. */
function Stroke({ dashed = false }: { dashed?: boolean }) {
  return (
    <svg width="24" height="8" aria-hidden="true">
      <line
        x1="0"
        y1="4"
        x2="24"
        y2="4"
        stroke={dashed ? "var(--color-quiet)" : "var(--color-text)"}
        strokeWidth="1.75"
        strokeDasharray={dashed ? "4 3" : undefined}
      />
    </svg>
  );
}
