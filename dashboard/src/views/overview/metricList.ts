import type { Sentiment, Significance } from "@/api/types";
import { compact, count, percent, score, signed } from "@/lib/format";
import { SENTIMENTS, sentence } from "@/lib/labels";
import { type Comparison, difference, relativeChange } from "@/lib/metrics";
import type { Search } from "@/lib/search";

export interface Metric {
  key: string;
  title: string;
  label?: Sentiment;
  value: string;
  /** The exact value or an explanation, shown on hover. */
  exact: string;
  change: Change | null;
  spark: (number | null)[];
  /** The minimum range of the sparkline's value axis, in the unit of the values. If unset, the axis includes zero. */
  sparkSpan?: number;
  /** The search for the posts behind the figure. */
  search: Search;
}

interface Change {
  short: string;
  long: string;
  /** Whether the change is significant. `null` if that is not known. */
  significant: boolean | null;
}

interface MetricOptions {
  search: Search;
  significance: Significance | undefined;
}

/** The key figures of a comparison. */
export function metricList(
  { now, before, points }: Comparison,
  /** The comparison of the posts with the chosen sentiment, which has the confidence of these posts. */
  chosen: Comparison,
  { search, significance }: MetricOptions,
): Metric[] {
  const only = search.sentiment;
  const posts = only ? now.counts[only] : now.all;
  // An unfinished bucket would look like a drop.
  const ended = points.filter((point) => !point.unfinished);
  const postsBefore = only ? before.counts[only] : before.all;
  return [
    {
      key: "posts",
      title: only ? `${sentence(only)} posts` : "Posts",
      value: compact(posts),
      exact: count(posts),
      change: graded(
        change(relativeChange(posts, postsBefore), "%", `${count(postsBefore)} posts before`),
        significance?.total_percentage,
      ),
      spark: ended.map((point) => (point.beforeData ? null : only ? point[only] : point.all)),
      search,
    },
    ...SENTIMENTS.map((label) => ({
      key: label,
      title: sentence(label),
      label,
      value: percent(now.shares[label]),
      exact: `${count(now.counts[label])} of ${count(now.posts)} posts`,
      change: graded(
        pointChange(difference(now.shares[label], before.shares[label]), percent(before.shares[label])),
        only ? undefined : significance?.percentages[label],
      ),
      spark: ended.map((point) => point[`${label}Share`]),
      sparkSpan: 30,
      search: { ...search, sentiment: label },
    })),
    {
      key: "net",
      title: "Net sentiment",
      value: now.net === null ? "–" : signed(now.net),
      exact: "Share of positive minus share of negative posts, from −100 to 100",
      change: pointChange(difference(now.net, before.net), before.net === null ? "–" : signed(before.net)),
      spark: ended.map((point) => point.net),
      sparkSpan: 60,
      search,
    },
    {
      key: "confidence",
      title: "Confidence",
      value: score(chosen.now.confidence),
      exact: "Average confidence of the model, from 0 to 1",
      change: change(
        percentOfScore(chosen.now.confidence, chosen.before.confidence),
        "%",
        `${score(chosen.before.confidence)} before`,
      ),
      spark: chosen.points.map(({ confidence, unfinished }) => (unfinished ? null : confidence)),
      sparkSpan: 0.3,
      search,
    },
  ];
}

function percentOfScore(now: number | null, before: number | null): number | null {
  return now === null || before === null ? null : relativeChange(now, before);
}

function pointChange(value: number | null, before: string): Change | null {
  return change(value, " pp", `${before} before`);
}

function change(value: number | null, unit: string, before: string): Change | null {
  if (value === null) return null;
  const text = Math.abs(value) > 999 ? `${value > 0 ? ">" : "<−"}999${unit}` : `${signed(value)}${unit}`;
  return { short: `${arrow(value)} ${text}`, long: `${text}: ${before}`, significant: null };
}

/** Adds the result of the significance test to a change, if the change was tested. */
function graded(change: Change | null, test: { significant: boolean } | null | undefined): Change | null {
  return change && test ? { ...change, significant: test.significant } : change;
}

function arrow(value: number): string {
  if (Math.abs(value) < 0.05) return "→";
  return value > 0 ? "↑" : "↓";
}
