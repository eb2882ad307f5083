import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { useRulesQuery } from "../useRules";
import { RuleRow } from "./RuleRow";

/** The rules view. */
export function Rules() {
  const query = useRulesQuery();
  const rules = query.data;
  return (
    <>
      <AlertTabs />
      <Card
        title="Rules"
        action={
          <Allowed scope="edit">
            <Link to="/alerts/rules/$id" params={{ id: "new" }} className={buttonClass()}>
              <Plus size={14} aria-hidden="true" />
              Add rule
            </Link>
          </Allowed>
        }
      >
        <ReadOnlyNote scope="edit" what="rules" />
        {query.error && !rules ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !rules ? (
          <SkeletonRows rows={3} />
        ) : rules.length === 0 ? (
          <EmptyState title="No rules">
            <p>A rule raises an alert when sentiment or the number of posts changes.</p>
          </EmptyState>
        ) : (
          <ul className="-mx-4 -mb-4 border-t border-border text-sm">
            {rules.map((rule) => (
              <RuleRow key={rule.id} rule={rule} />
            ))}
          </ul>
        )}
      </Card>
    </>
  );
}
