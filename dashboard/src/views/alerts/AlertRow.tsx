import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import type { Alert } from "@/api/types";
import { ago, exact, plural } from "@/lib/format";
import { cx } from "@/ui/cx";
import { alertTitle, inScope, measured, stateText } from "./words";

/** An alert in a list: name, scope, value, state and age. Links to the alert's page. */
export function AlertRow({ alert, now }: { alert: Alert; now: number }) {
  const firing = alert.state === "firing";
  const by = alert.acknowledged?.by;
  return (
    <li className="border-b border-border text-sm last:border-b-0">
      <Link
        to="/alerts/$id"
        params={{ id: String(alert.id) }}
        className={cx(
          "grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 border-l-2 py-2 pr-3 pl-3.5 hover:bg-raised",
          "md:grid-cols-[minmax(0,1.5fr)_minmax(0,1.1fr)_minmax(0,1fr)_6rem_1rem]",
          firing ? "border-negative" : "border-transparent",
        )}
      >
        <span className="min-w-0 truncate" title={`${alertTitle(alert)} ${inScope(alert.scope)}`}>
          <span className="font-medium">{alertTitle(alert)}</span>{" "}
          <span className="text-quiet">{inScope(alert.scope)}</span>
        </span>{" "}
        <span className="tabular col-start-1 row-start-2 truncate text-xs text-quiet md:col-start-auto md:row-start-auto md:text-sm md:text-text">
          {measured(alert)}
          {alert.post_count > 0 && <span className="text-quiet"> of {plural(alert.post_count, "post")}</span>}
        </span>{" "}
        <span className="tabular col-start-2 row-start-2 truncate text-right text-xs text-quiet md:col-start-auto md:row-start-auto md:text-left md:text-sm">
          {firing && alert.severity === "critical" ? "▼ Critical" : stateText(alert)}
          {by !== undefined && <span className="hidden md:inline"> · acknowledged by {by}</span>}
        </span>{" "}
        <span
          className="tabular col-start-2 row-start-1 text-right text-xs text-quiet md:col-start-auto md:row-start-auto"
          title={exact(alert.triggered_at)}
        >
          {ago(alert.triggered_at, now)}
        </span>
        <ChevronRight size={14} aria-hidden="true" className="hidden text-quiet md:block" />
      </Link>
    </li>
  );
}
