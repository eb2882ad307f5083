import type { Alert } from "@/api/types";

/** The alerts of one rule and scope. */
export interface Lane {
  key: string;
  alerts: [Alert, ...Alert[]];
}

/** Groups alerts by rule and scope. Lanes with active alerts come first, then the most recent ones. */
export function lanesOf(alerts: readonly Alert[], now: number): Lane[] {
  const lanes = new Map<string, Lane>();
  for (const alert of alerts) {
    const key = `${alert.alert_type} ${alert.scope}`;
    const lane = lanes.get(key);
    if (lane) lane.alerts.push(alert);
    else lanes.set(key, { key, alerts: [alert] });
  }
  const latest = ({ alerts: list }: Lane) => Math.max(...list.map((alert) => endOf(alert, now)));
  return [...lanes.values()].sort((a, b) => latest(b) - latest(a));
}

function endOf({ resolved_at }: Alert, now: number): number {
  return resolved_at ? Date.parse(resolved_at) : now;
}
