import type { RuleDraft } from "@/api/types";
import { decimal, percent, spaced } from "@/lib/format";
import { EMOTIONS, SENTIMENTS, sentence } from "@/lib/labels";
import { inScope } from "../words";

export const KINDS = [
  { value: "share", label: "Share of posts" },
  { value: "ratio", label: "Negative posts per positive post" },
  { value: "volume", label: "Number of posts" },
  { value: "spike", label: "Unusual number of posts" },
  { value: "shift", label: "Change of a share" },
  { value: "absence", label: "No posts" },
] as const satisfies readonly { value: RuleDraft["kind"]; label: string }[];

/** The posts whose share of all posts a rule can measure. */
export const PARTS = [
  ...SENTIMENTS.map((label) => ({ value: `sentiment:${label}`, label: `${sentence(label)} posts` })),
  ...EMOTIONS.map((label) => ({ value: `emotion:${label}`, label: `Posts with ${label}` })),
];

/** The posts that a rule can count. */
export const CLASSES = [{ value: "posts", label: "All posts" }, ...PARTS];

export const SEVERITIES = [
  { value: "info", label: "Info" },
  { value: "warning", label: "Warning" },
  { value: "critical", label: "Critical" },
] as const satisfies readonly { value: RuleDraft["severity"]; label: string }[];

/** A rule in one sentence. */
export function ruleSentence(rule: RuleDraft): string {
  return `${conditionText(rule)} within ${spaced(rule.window)}, ${scopeText(rule)}`;
}

function conditionText({ kind, of, direction, threshold }: RuleDraft): string {
  const posts = className(of ?? "sentiment:negative");
  const beyond = direction === "below" ? "below" : "above";
  const limit = threshold ?? 0;
  switch (kind) {
    case "share":
      return `Share of ${posts} ${beyond} ${percent(limit * 100)}`;
    case "ratio":
      return `More than ${limit} negative posts per positive post`;
    case "volume":
      return `Number of ${posts} ${beyond} ${limit}`;
    case "spike":
      return `Number of ${posts} more than ${limit} standard deviations above usual`;
    case "shift":
      return `Share of ${posts} ${direction === "below" ? "falls" : "rises"} by more than ${decimal(limit * 100)} percentage points`;
    case "absence":
      return "No posts";
  }
}

function scopeText({ scope, group_by }: RuleDraft): string {
  const where = inScope(scope);
  if (group_by === "source") return `${where}, for each source separately`;
  return group_by === "source_and_total" ? `${where}, for each source and all combined` : where;
}

function className(of: string): string {
  const [what, label] = of.split(":");
  if (what === "emotion") return `posts with ${label}`;
  return what === "sentiment" ? `${label} posts` : "posts";
}
