import type { ReactNode } from "react";
import { useChangesQuery } from "@/api/audit";
import { useNow } from "@/lib/useNow";
import { Card } from "@/ui/Card";
import { cx } from "@/ui/cx";
import { LoadMore } from "@/ui/LoadMore";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { ChangeRow } from "./ChangeRow";

/** The changes of alerting, sources and settings, with the values before and after. */
export function ChangesCard({ action }: { action: ReactNode }) {
  const { query, changes } = useChangesQuery();
  const now = useNow(10_000);
  return (
    <Card title="Audit log" note="changes of alerting, sources and settings" action={action}>
      {query.error && !changes ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !changes ? (
        <SkeletonRows rows={6} />
      ) : changes.length === 0 ? (
        <EmptyState title="No changes">
          <p>Changes of rules, receivers, routes, silences, sources and settings appear here.</p>
        </EmptyState>
      ) : (
        <ol className={cx("-mx-4 border-t border-border text-sm", !query.hasNextPage && "-mb-4")}>
          {changes.map((change) => (
            <ChangeRow key={change.id} change={change} now={now} />
          ))}
        </ol>
      )}
      <LoadMore query={query}>Show older changes</LoadMore>
    </Card>
  );
}
