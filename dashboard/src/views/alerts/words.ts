import type { Alert, RuleDraft } from "@/api/types";
import { compact, decimal, duration, percent, plural, signed } from "@/lib/format";
import { parseSearch, readQuery, type Search } from "@/lib/search";

export type RuleKind = RuleDraft["kind"];
type Severity = RuleDraft["severity"];

const KINDS: readonly RuleKind[] = ["share", "ratio", "volume", "spike", "shift", "absence"];
/** The titles and kinds of default rules. */
const OWN: Record<string, { title: string; kind: RuleKind }> = {
  negative_share: { title: "Share of negative posts", kind: "share" },
  negative_ratio: { title: "Negative posts per positive post", kind: "ratio" },
  negative_spike: { title: "Spike of negative posts", kind: "spike" },
};

/** The title of an alert: the name of its rule. */
export function alertTitle({ alert_type }: Pick<Alert, "alert_type">): string {
  return ruleTitle(alert_type);
}

/** The title of a rule: its name, or the words for a default rule, such as `negative_share`. */
export function ruleTitle(name: string): string {
  return OWN[name]?.title ?? name;
}

/** The kind of the alert's rule, from the label `kind` or from the name of a default rule. */
export function kindOf({ alert_type, labels }: Alert): RuleKind | undefined {
  return KINDS.find((kind) => kind === labels?.kind) ?? OWN[alert_type]?.kind;
}

/** The name in a scope: "source:rss" → "rss", "all" → "all sources". */
export function scopeName(scope: string): string {
  const [what, ...name] = scope.split(":");
  const value = name.join(":");
  if (!value) return "all sources";
  return what === "text" ? `“${value}”` : value;
}

/** A scope with its preposition: "in all sources", "by ada", "with “train”". */
export function inScope(scope: string): string {
  const prepositions: Record<string, string> = { author: "by", text: "with", topic: "about" };
  return `${prepositions[scope.split(":")[0] ?? ""] ?? "in"} ${scopeName(scope)}`;
}

/** Formats a value in the unit of the kind of rule. */
export function valueText(kind: RuleKind | undefined, value: number): string {
  switch (kind) {
    case "share":
      return percent(value * 100);
    case "shift":
      return `${signed(value * 100)} pp`;
    case "volume":
    case "absence":
      return plural(value, "post");
    case "ratio":
      return `${decimal(value)} to 1`;
    case "spike":
      return `${decimal(value)} deviations`;
    default:
      return decimal(value);
  }
}

/** Formats a threshold. The threshold of a shift is a difference without a sign, whatever the direction of the rule. */
export function thresholdText(kind: RuleKind | undefined, threshold: number): string {
  return kind === "shift" ? `${decimal(threshold * 100)} pp` : valueText(kind, threshold);
}

/** Formats a value for the short labels of an axis. */
export function axisText(kind: RuleKind, value: number): string {
  if (kind === "share") return `${decimal(value * 100)}%`;
  if (kind === "shift") return `${value > 0 ? "+" : ""}${decimal(value * 100)} pp`;
  return compact(value);
}

/** The value and the limit of an alert. Without `value` the last value that the server stored is used. */
export function measured(alert: Alert, value = alert.actual_value): string {
  const kind = kindOf(alert);
  if (kind === "absence") return "no posts";
  // The unit is written only once.
  const once = kind === "spike" || kind === "ratio" || kind === "volume";
  const limit = once ? decimal(alert.threshold_value) : thresholdText(kind, alert.threshold_value);
  return `${valueText(kind, value)}, limit ${limit}`;
}

/** The search for an alert's posts: the server's link, or the negative posts of the alert's window and scope. */
export function evidence({ details, scope, window_start, window_end }: Alert): Search {
  const { link } = details;
  if (typeof link === "string") return parseSearch(readQuery(link.slice(link.indexOf("?") + 1)));
  return parseSearch({
    from: window_start,
    to: window_end,
    sentiment: "negative",
    topic: scope.startsWith("topic:") ? scope.slice("topic:".length) : undefined,
    source: scope.startsWith("source:") ? scope.slice("source:".length) : undefined,
  });
}

/** The duration of an alert in seconds. */
export function lasted({ triggered_at, resolved_at }: Alert, now: number): number {
  const end = resolved_at ? Date.parse(resolved_at) : now;
  return Math.max(0, end - Date.parse(triggered_at)) / 1_000;
}

/** The state of an alert in words. */
export function stateText(alert: Alert): string {
  if (isActive(alert)) return alert.phase === "recovering" ? "● Recovering" : "▼ Firing";
  return `● Resolved after ${duration(lasted(alert, 0))}`;
}

export function isActive({ state, resolved_at }: Alert): boolean {
  return state === "firing" || !resolved_at;
}

const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** Alerts by severity, then newest first. */
export function bySeverity(alerts: readonly Alert[]): Alert[] {
  const rank = ({ severity = "warning" }: Alert) => SEVERITIES.indexOf(severity);
  return [...alerts].sort((a, b) => rank(a) - rank(b) || b.triggered_at.localeCompare(a.triggered_at));
}

/** The actor of an acknowledgement. A server without credentials reports `local`. */
export function acknowledgedText(by: string): string {
  return by === "local" ? "Acknowledged on this computer" : `Acknowledged by ${by}`;
}
