import { useAlertsQuery } from "@/api/queries";
import type { AlertMark } from "@/charts/SentimentChart";
import type { TimeWindow } from "@/lib/range";

/** Alerts that fired in the window, of everything or of the chosen source. */
export function useAlertMarks(window: TimeWindow, source: string | undefined): AlertMark[] {
  const query = useAlertsQuery({
    limit: 100,
    start_date: new Date(window.start).toISOString(),
    end_date: new Date(window.end).toISOString(),
  });
  const alerts = query.data?.alerts ?? [];
  return alerts
    .filter(({ scope }) => scope === "all" || scope === `source:${source}`)
    .map(({ id, triggered_at }) => ({ id, time: Date.parse(triggered_at) }));
}
