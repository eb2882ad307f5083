import { useAlertsQuery } from "@/api/queries";
import type { AlertMark } from "@/charts/SentimentChart";
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
  const marks = new Map<number, string[]>();
  for (const alert of alerts) {
    if (source && alert.scope !== "all" && alert.scope !== `source:${source}`) continue;
    const time = floor(Date.parse(alert.triggered_at), window.period);
    marks.set(time, [...(marks.get(time) ?? []), `${alertTitle(alert)} ${inScope(alert.scope)}`]);
  }
  return [...marks].map(([time, titles]) => ({ time, titles: [...new Set(titles)] }));
}
