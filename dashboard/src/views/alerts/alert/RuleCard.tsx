import { Link } from "@tanstack/react-router";
import type { Rule } from "@/api/types";
import { count, spaced } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { ruleSentence } from "../rules/ruleWords";
import { thresholdText } from "../words";

/** The current version of the alert's rule. */
export function RuleCard({ rule }: { rule: Rule }) {
  return (
    <Card
      title="Rule"
      note="current version"
      action={
        <Link
          to="/alerts/rules/$id"
          params={{ id: String(rule.id) }}
          className={buttonClass("plain", "-mr-2")}
        >
          Open
          <span className="sr-only">the rule {rule.name}</span>
        </Link>
      }
    >
      <p className="text-sm [overflow-wrap:anywhere]">{ruleSentence(rule)}</p>
      <dl className="mt-3 grid grid-cols-[8rem_minmax(0,1fr)] gap-x-3 gap-y-1 text-sm">
        {factsOf(rule).map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-quiet">{name}</dt>
            <dd className="tabular [overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function factsOf(rule: Rule): [string, string][] {
  const labels = Object.entries(rule.labels).map(([name, value]) => `${name}=${value}`);
  const facts: [string, string | null][] = [
    ["Severity", sentence(rule.severity)],
    ["Window", spaced(rule.window)],
    ["Compared with", rule.baseline_window ? `${spaced(rule.baseline_window)} before` : null],
    ["Minimum posts", count(rule.min_posts)],
    ["Wait before alerting", rule.for === "0s" ? "none" : spaced(rule.for)],
    [
      "Resolves at",
      rule.recovery_threshold == null ? null : thresholdText(rule.kind, rule.recovery_threshold),
    ],
    ["Wait before resolving", rule.keep_firing_for === "0s" ? "none" : spaced(rule.keep_firing_for)],
    ["Maximum p-value", rule.significance == null ? null : String(rule.significance)],
    ["Check every", spaced(rule.interval)],
    ["Labels", labels.length > 0 ? labels.join(", ") : null],
    ["Status", rule.enabled ? null : "off"],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}
