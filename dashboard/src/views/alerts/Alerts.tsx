import { Link } from "@tanstack/react-router";
import { useAlertsQuery } from "@/api/queries";
import { count, plural } from "@/lib/format";
import { rangeLabel } from "@/lib/rangeLabel";
import { ALERTS_RANGE } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { useView } from "@/shell/useView";
import { Card } from "@/ui/Card";
import { LoadMore } from "@/ui/LoadMore";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useWindow } from "../overview/useComparison";
import { AlertRow } from "./AlertRow";
import { AlertTabs } from "./AlertTabs";
import { Timeline } from "./Timeline";
import { useAlertHistory } from "./useAlertHistory";
import { currentValue, useRulesQuery } from "./useRules";
import { bySeverity } from "./words";

/** The alerts view: active alerts and history. */
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
  const rules = useRulesQuery(10_000).data;
  const alerts = query.data && bySeverity(query.data.alerts);
  const enabled = rules?.filter((rule) => rule.enabled).length;
  return (
    <Card title="Active alerts" {...(alerts?.length ? { note: count(query.data?.total ?? 0) } : {})}>
      {query.error && !alerts ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !alerts ? (
        <SkeletonRows rows={1} />
      ) : alerts.length === 0 ? (
        <p className="text-sm">
          <span aria-hidden="true" className="mr-1.5 text-positive">
            ▲
          </span>
          No active alerts.{" "}
          <Link to="/alerts/rules" className="text-quiet underline underline-offset-2">
            {enabled === undefined ? "View rules" : `${plural(enabled, "rule")} running`}
          </Link>
        </p>
      ) : (
        <ul className="-mx-4 -mb-4 border-t border-border">
          {alerts.map((alert) => (
            <AlertRow key={alert.id} alert={alert} now={now} value={currentValue(rules, alert)} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function History() {
  const now = useNow(10_000);
  const { search } = useView();
  const window = useWindow(search, ALERTS_RANGE);
  const { query, alerts } = useAlertHistory(window);
  if (query.error && !alerts) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!alerts) return <SkeletonRows rows={4} />;
  if (alerts.length === 0) {
    return (
      <Card title="History">
        <EmptyState title="No alerts in this period">
          <p>Choose a longer range to look further back.</p>
        </EmptyState>
      </Card>
    );
  }
  const past = alerts.filter(({ state }) => state !== "firing");
  return (
    <>
      <Card title={`History, ${rangeLabel({ range: ALERTS_RANGE, ...search })}`}>
        <Timeline alerts={alerts} window={window} now={now} />
        {past.length > 0 && (
          <ul aria-label="Resolved alerts" className="-mx-4 mt-4 -mb-4 border-t border-border">
            {past.map((alert) => (
              <AlertRow key={alert.id} alert={alert} now={now} />
            ))}
          </ul>
        )}
      </Card>
      <LoadMore query={query}>Show older alerts</LoadMore>
    </>
  );
}
