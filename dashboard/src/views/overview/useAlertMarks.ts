import { useAlertsQuery } from "@/api/queries";
import type { Alert } from "@/api/types";
import type { AlertMark } from "@/charts/AlertLine";
import { floor, type TimeWindow } from "@/lib/range";
import { alertTitle, inScope } from "../alerts/words";

/** The buckets in which alerts fired: all alerts, or with a chosen source those that are about it. */
export function useAlertMarks(window: TimeWindow, source: string | undefined): AlertMark[] {
  const query = useAlertsQuery({
    limit: 100,
    start_date: new Date(window.start).toISOString(),
    end_date: new Date(window.end).toISOString(),
  });
  const alerts = query.data?.alerts ?? [];
  const buckets = new Map<number, Alert[]>();
  for (const alert of alerts) {
    if (source && alert.scope !== "all" && alert.scope !== `source:${source}`) continue;
    const time = floor(Date.parse(alert.triggered_at), window.period);
    buckets.set(time, [...(buckets.get(time) ?? []), alert]);
  }
  return [...buckets].map(([time, fired]) => ({
    time,
    titles: [...new Set(fired.map((alert) => `${alertTitle(alert)} ${inScope(alert.scope)}`))],
    ids: fired.map(({ id }) => id),
  }));
}
