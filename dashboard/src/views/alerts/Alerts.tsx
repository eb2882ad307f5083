import { useAlertsQuery } from "@/api/queries";
import { rangeLabel } from "@/lib/rangeLabel";
import { useNow } from "@/lib/useNow";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useWindow } from "../overview/useComparison";
import { FiringAlert, PastAlert } from "./AlertItem";
import { AlertTabs } from "./AlertTabs";
import { Timeline } from "./Timeline";
import { useAlertHistory } from "./useAlertHistory";

/** What fires now, and what fired. */
export function Alerts() {
  return (
    <>
      <AlertTabs />
      <div className="flex flex-col gap-4">
        <FiringNow />
        <History />
      </div>
    </>
  );
}

function FiringNow() {
  const now = useNow(10_000);
  const query = useAlertsQuery({ state: "firing", limit: 100 });
  const alerts = query.data?.alerts;
  return (
    <section aria-label="Firing now" className="flex flex-col gap-3">
      <h2 className="text-sm font-medium text-quiet">Firing now</h2>
      {query.error && !alerts ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !alerts ? (
        <SkeletonRows rows={1} />
      ) : alerts.length === 0 ? (
        <p className="card px-4 py-3 text-sm">
          Nothing fires. An alert fires when negative posts get the upper hand for some minutes.
        </p>
      ) : (
        alerts.map((alert) => <FiringAlert key={alert.id} alert={alert} now={now} />)
      )}
    </section>
  );
}

function History() {
  const now = useNow(10_000);
  const { search } = useView();
  const window = useWindow(search);
  const { query, alerts } = useAlertHistory(window);
  if (query.error && !alerts) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!alerts) return <SkeletonRows rows={4} />;
  if (alerts.length === 0) {
    return (
      <Card title="History">
        <EmptyState title="Nothing fired in this time">
          <p>Choose a longer range to look further back.</p>
        </EmptyState>
      </Card>
    );
  }
  const past = alerts.filter(({ state }) => state !== "firing");
  return (
    <>
      <Card title={`History, ${rangeLabel(search)}`}>
        <Timeline alerts={alerts} window={window} now={now} />
        {past.length > 0 && (
          <ul aria-label="Alerts that are over" className="-mx-4 mt-4 -mb-4 border-t border-border">
            {past.map((alert) => (
              <PastAlert key={alert.id} alert={alert} now={now} />
            ))}
          </ul>
        )}
      </Card>
      {query.hasNextPage && (
        <Button
          className="self-center"
          onClick={() => void query.fetchNextPage()}
          disabled={query.isFetchingNextPage}
        >
          Show older alerts
        </Button>
      )}
    </>
  );
}
