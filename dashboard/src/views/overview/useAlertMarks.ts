import { useAlertsQuery } from "@/api/queries";
import type { Alert } from "@/api/types";
import type { AlertMark } from "@/charts/AlertLine";
import { floor, type TimeWindow } from "@/lib/range";
import type { Search } from "@/lib/search";
import { alertTitle, inScope } from "../alerts/words";

/** The buckets in which alerts fired. Only alerts whose scope matches the filter are included. */
export function useAlertMarks(window: TimeWindow, search: Search): AlertMark[] {
  const query = useAlertsQuery({
    limit: 100,
    start_date: new Date(window.start).toISOString(),
    end_date: new Date(window.end).toISOString(),
  });
  const alerts = query.data?.alerts ?? [];
  const buckets = new Map<number, Alert[]>();
  for (const alert of alerts) {
    if (!concerns(alert.scope, search)) continue;
    const time = floor(Date.parse(alert.triggered_at), window.period);
    buckets.set(time, [...(buckets.get(time) ?? []), alert]);
  }
  return [...buckets].map(([time, fired]) => ({
    time,
    titles: [...new Set(fired.map((alert) => `${alertTitle(alert)} ${inScope(alert.scope)}`))],
    ids: fired.map(({ id }) => id),
  }));
}

/** Whether the scope of an alert matches the filters of a search. */
export function concerns(scope: string, { topic, source, author, q }: Search): boolean {
  if (topic) return scope === `topic:${topic}`;
  if (author) return scope === `author:${author}`;
  if (q) return scope === `text:${q}`;
  return !source || scope === "all" || scope === `source:${source}`;
}
