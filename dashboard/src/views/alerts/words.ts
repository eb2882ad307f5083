import type { Alert } from "@/api/types";
import { duration, percent, signed } from "@/lib/format";
import type { Search } from "@/lib/search";
import { windowSearch } from "./windowSearch";

const TYPES: Record<string, string> = {
  negative_share: "Share of negative posts",
  negative_ratio: "Negatives over positives",
};

/** What an alert watches for, in words; other types keep their name. */
export function alertTitle({ alert_type }: Alert): string {
  return TYPES[alert_type] ?? alert_type.replaceAll("_", " ");
}

/** Whom it is about. */
export function scopeName(scope: string): string {
  return scope === "all" ? "all sources" : scope.replace(/^source:/, "");
}

/** What was measured against what is allowed. */
export function measured({ alert_type, actual_value, threshold_value }: Alert): string {
  return `${valueText(alert_type, actual_value)}, limit ${valueText(alert_type, threshold_value)}`;
}

/** The posts that made it fire. */
export function evidence(alert: Alert): Search {
  return windowSearch(alert);
}

function valueText(type: string, value: number): string {
  if (type.endsWith("_share")) return percent(value * 100);
  return signed(value).replace("+", "");
}

/** Whether it still fires, or how long it did. */
export function stateText({ state, triggered_at, resolved_at }: Alert): string {
  if (state === "firing" || !resolved_at) return "▼ Firing";
  return `● Resolved after ${duration((Date.parse(resolved_at) - Date.parse(triggered_at)) / 1_000)}`;
}
