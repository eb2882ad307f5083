import type { Rule, RuleDraft } from "@/api/types";
import type { Search } from "@/lib/search";
import { writtenOf } from "@/lib/written";

/** The editable state of a rule. Numbers are strings, shares are percent. */
export interface Draft {
  name: string;
  kind: RuleDraft["kind"];
  of: string;
  direction: "above" | "below";
  threshold: string;
  /** Empty means the default of the kind. */
  significance: string;
  /** The length of the baseline window. Empty means 12 windows, at most a day. */
  baselineWindow: string;
  scopeKind: ScopeKind;
  scopeName: string;
  groupBy: RuleDraft["group_by"];
  window: string;
  interval: string;
  minPosts: string;
  pendingFor: string;
  keepFiringFor: string;
  recovery: string;
  severity: RuleDraft["severity"];
  summary: string;
  enabled: boolean;
  /** What counts: posts, texts or authors. Empty means the default. */
  distinct: NonNullable<RuleDraft["distinct"]> | "";
  /** Empty means the default. */
  minAuthors: string;
  noData: NonNullable<RuleDraft["no_data"]> | "";
  /** The time between the end of a window and its evaluation. Empty means the measured delay of the sources. */
  delay: string;
  /** All annotations. The form shows only `summary`. */
  annotations: RuleDraft["annotations"];
  /** The fields of the stored rule that the form does not show. They are saved unchanged. */
  kept: Partial<RuleDraft>;
}

/** The properties of each group of inputs in the rule editor. */
export interface InputsProps {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  error: unknown;
}

export type ScopeKind = "all" | "source" | "author" | "topic" | "text";

/** Kinds whose threshold is a share or a difference of shares, shown in percent or percentage points. */
const IN_PERCENT: ReadonlySet<RuleDraft["kind"]> = new Set(["share", "shift"]);
const DIRECTED: ReadonlySet<RuleDraft["kind"]> = new Set(["share", "volume", "shift"]);
const TESTED: ReadonlySet<RuleDraft["kind"]> = new Set(["share", "ratio", "shift"]);
const CLASSED: ReadonlySet<RuleDraft["kind"]> = new Set(["share", "volume", "spike", "shift"]);

/** Which fields the form shows for a kind of rule. */
export function asksFor(kind: RuleDraft["kind"]) {
  return {
    percent: IN_PERCENT.has(kind),
    direction: DIRECTED.has(kind),
    class: CLASSED.has(kind),
    threshold: kind !== "absence",
    significance: TESTED.has(kind),
    baselineWindow: kind === "shift",
  };
}

/** The draft of a new rule. */
export function newDraft(): Draft {
  return {
    name: "",
    kind: "share",
    of: "sentiment:negative",
    direction: "above",
    threshold: "50",
    significance: "",
    baselineWindow: "",
    scopeKind: "all",
    scopeName: "",
    groupBy: "none",
    window: "5min",
    interval: "1min",
    minPosts: "10",
    pendingFor: "0s",
    keepFiringFor: "5min",
    recovery: "",
    severity: "warning",
    summary: "",
    enabled: true,
    distinct: "",
    minAuthors: "",
    noData: "",
    delay: "",
    annotations: {},
    kept: { labels: {} },
  };
}

/** A rule for a common purpose. */
export type Template = "negative" | "surge" | "silence";

/** The draft of a template. */
export function templateDraft(template: Template): Draft {
  const draft = newDraft();
  switch (template) {
    case "negative":
      return { ...draft, name: "Sentiment turns negative", window: "15min", pendingFor: "1min" };
    case "surge":
      return {
        ...draft,
        name: "Unusually many posts",
        kind: "spike",
        of: "posts",
        threshold: "4",
        window: "15min",
      };
    case "silence":
      return { ...draft, name: "Posts stop arriving", kind: "absence", threshold: "", window: "30min" };
  }
}

/**
 * The draft of a new rule with the filters of a view. A rule has only one scope: the first filter that is set in the
 * order topic, source, author, search words.
 */
export function draftFor(search: Search): Draft {
  const draft = { ...templateDraft("negative"), name: "" };
  const of = search.emotion
    ? `emotion:${search.emotion}`
    : search.sentiment
      ? `sentiment:${search.sentiment}`
      : draft.of;
  const scopes = { topic: search.topic, source: search.source, author: search.author, text: search.q };
  for (const [scopeKind, scopeName] of Object.entries(scopes)) {
    if (scopeName) return { ...draft, of, scopeKind: scopeKind as ScopeKind, scopeName };
  }
  return { ...draft, of };
}

/** The draft of an existing rule. */
export function draftOf(rule: Rule): Draft {
  const { percent } = asksFor(rule.kind);
  const [scopeKind, ...name] = rule.scope.split(":");
  const number = (value: number | null | undefined) =>
    value == null ? "" : String(percent ? roundOff(value * 100) : value);
  return {
    ...newDraft(),
    name: rule.name,
    kind: rule.kind,
    of: rule.of ?? "sentiment:negative",
    direction: rule.direction ?? "above",
    threshold: number(rule.threshold),
    significance: rule.significance == null ? "" : String(rule.significance),
    baselineWindow: rule.baseline_window ?? "",
    scopeKind: (scopeKind ?? "all") as ScopeKind,
    scopeName: name.join(":"),
    groupBy: rule.group_by,
    window: rule.window,
    interval: rule.interval,
    minPosts: String(rule.min_posts),
    pendingFor: rule.for,
    keepFiringFor: rule.keep_firing_for,
    recovery: number(rule.recovery_threshold),
    severity: rule.severity,
    summary: rule.annotations.summary ?? "",
    enabled: rule.enabled,
    distinct: rule.distinct ?? "",
    minAuthors: rule.min_authors == null ? "" : String(rule.min_authors),
    noData: rule.no_data ?? "",
    delay: rule.delay ?? "",
    annotations: rule.annotations,
    kept: keptOf(rule),
  };
}

/** The rule in the API's format. Fields that do not apply to its kind are left out. */
export function ruleOf(draft: Draft): RuleDraft {
  const asks = asksFor(draft.kind);
  const number = (text: string) => (asks.percent ? roundOff(Number(text) / 100) : Number(text));
  const { summary: _, ...others } = draft.annotations;
  return {
    labels: {},
    ...draft.kept,
    name: draft.name.trim(),
    kind: draft.kind,
    ...(asks.class ? { of: draft.of } : {}),
    ...(asks.direction ? { direction: draft.direction } : {}),
    ...(asks.threshold ? { threshold: number(draft.threshold) } : {}),
    ...(asks.significance && draft.significance !== "" ? { significance: Number(draft.significance) } : {}),
    ...(asks.baselineWindow && draft.baselineWindow.trim()
      ? { baseline_window: draft.baselineWindow.trim() }
      : {}),
    ...(asks.threshold && draft.recovery !== "" ? { recovery_threshold: number(draft.recovery) } : {}),
    scope: draft.scopeKind === "all" ? "all" : `${draft.scopeKind}:${draft.scopeName.trim()}`,
    group_by: draft.scopeKind === "source" ? "none" : draft.groupBy,
    window: draft.window,
    interval: draft.interval,
    min_posts: Number(draft.minPosts),
    for: draft.pendingFor,
    keep_firing_for: draft.keepFiringFor,
    severity: draft.severity,
    ...(draft.distinct ? { distinct: draft.distinct } : {}),
    ...(draft.minAuthors !== "" ? { min_authors: Number(draft.minAuthors) } : {}),
    ...(draft.noData ? { no_data: draft.noData } : {}),
    ...(draft.delay.trim() ? { delay: draft.delay.trim() } : {}),
    annotations: draft.summary.trim() ? { ...others, summary: draft.summary.trim() } : others,
    enabled: draft.enabled,
  };
}

/** The fields of a stored rule that the form does not show. */
function keptOf(rule: Rule): Partial<RuleDraft> {
  const { state: _state, series: _series, ...written } = writtenOf(rule);
  return Object.fromEntries(Object.entries(written).filter(([field]) => !SHOWN.has(field)));
}

/** The fields that the form shows. They are left out when they do not apply to the kind of the rule. */
const SHOWN: ReadonlySet<string> = new Set([
  ...[
    "name",
    "kind",
    "of",
    "direction",
    "threshold",
    "significance",
    "baseline_window",
    "recovery_threshold",
  ],
  ...[
    "scope",
    "group_by",
    "window",
    "interval",
    "min_posts",
    "for",
    "keep_firing_for",
    "severity",
    "annotations",
  ],
  ...["enabled", "distinct", "min_authors", "no_data", "delay"],
]);

/** Rounds off binary fraction errors: 0.55 × 100 is 55. */
function roundOff(value: number): number {
  return Number(value.toPrecision(12));
}
