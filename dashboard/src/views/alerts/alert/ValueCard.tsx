import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { backtestRule } from "@/api/rules";
import type { AlertDetail, Rule } from "@/api/types";
import { zone } from "@/lib/format";
import { DAY, HOUR, MINUTE } from "@/lib/range";
import { useNow } from "@/lib/useNow";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { draftOf, ruleOf } from "../rules/ruleDraft";
import { type Shown, ShownChoice, TrackFigure } from "../rules/TrackFigure";

interface ValueCardProps {
  alert: AlertDetail;
  rule: Rule | undefined;
  /** Whether the rule was removed. */
  gone: boolean;
  /** Why the rule could not be read, or `null`. */
  error: unknown;
  retry: () => void;
}

/** The values of the rule before, during and after the alert. */
export function ValueCard({ alert, rule, gone, error, retry }: ValueCardProps) {
  const [shown, setShown] = useState<Shown>("chart");
  return (
    <Card
      title="Value over time"
      note={zone()}
      action={rule && <ShownChoice shown={shown} onChange={setShown} />}
    >
      <div className="h-72">
        {rule ? (
          <Course alert={alert} rule={rule} shown={shown} />
        ) : gone ? (
          <div className="grid h-full place-content-center">
            <EmptyState title="Rule removed">
              <p>
                The chart needs the rule, which was removed. The figures above were stored with the alert.
              </p>
            </EmptyState>
          </div>
        ) : error ? (
          <ErrorState error={error} retry={retry} />
        ) : (
          <Skeleton className="h-full" />
        )}
      </div>
    </Card>
  );
}

function Course({ alert, rule, shown }: { alert: AlertDetail; rule: Rule; shown: Shown }) {
  const now = useNow(MINUTE);
  const bounds = boundsOf(alert, now);
  const query = useQuery({
    queryKey: keys.backtests.alert(alert.id, rule.version, bounds),
    queryFn: ({ signal }) => backtestRule(ruleOf(draftOf(rule)), signal, bounds),
    placeholderData: keepPreviousData,
    retry: false,
  });
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton className="h-full" />;
  const track = query.data.series.find(({ scope }) => scope === alert.scope);
  if (!track?.points.some(({ value }) => value != null)) {
    return (
      <div className="grid h-full place-content-center">
        <EmptyState title="No data">
          <p>The posts were deleted at the end of their retention period, or the rule was changed.</p>
        </EmptyState>
      </div>
    );
  }
  return (
    <TrackFigure
      rule={rule}
      track={track}
      firings={[{ fired_at: alert.triggered_at, resolved_at: alert.resolved_at ?? null }]}
      threshold={rule.kind === "absence" ? undefined : alert.threshold_value}
      shown={shown}
    />
  );
}

/**
 * The time range of the chart. The chart starts six windows before the alert fired, but at least an hour and at most a
 * day before it. After the end of the alert, half as much time is shown. A backtest covers at most eight days, so the
 * chart ends at most six days after the alert fired.
 */
function boundsOf(alert: AlertDetail, now: number): { start_date: string; end_date: string } {
  const fired = Date.parse(alert.triggered_at);
  const window = Date.parse(alert.window_end) - Date.parse(alert.window_start);
  const around = Math.min(Math.max(HOUR, 6 * window), DAY);
  const over = alert.resolved_at ? Date.parse(alert.resolved_at) + around / 2 : now;
  const whole = (time: number) => new Date(time - (time % MINUTE)).toISOString();
  return {
    start_date: whole(fired - around),
    end_date: whole(Math.min(now, over, fired + 6 * DAY)),
  };
}
