import type { RuleDraft } from "@/api/types";
import { Card } from "@/ui/Card";
import { ruleSentence } from "./ruleWords";

/** What the rule would have done over the last 24 hours. */
export function BacktestCard({ rule }: { rule: RuleDraft }) {
  return <Card title="The last 24 hours">{ruleSentence(rule)}</Card>;
}
