import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import type { Alert } from "@/api/types";
import { ago, exact, plural } from "@/lib/format";
import { cx } from "@/ui/cx";
import { ScopeText } from "./ScopeText";
import { SeverityMark } from "./SeverityMark";
import { acknowledgedText, alertTitle, inScope, isActive, measured, stateText } from "./words";

interface AlertRowProps {
  alert: Alert;
  now: number;
  /** The current value of an active alert, if it is known. */
  value?: number | undefined;
}

/** An alert in a list: severity, name, scope, value, state and age. Links to the alert's page. */
export function AlertRow({ alert, now, value }: AlertRowProps) {
  const active = isActive(alert);
  const by = alert.acknowledged?.by;
  return (
    <li className="border-b border-border text-sm last:border-b-0">
      <Link
        to="/alerts/$id"
        params={{ id: String(alert.id) }}
        className={cx(
          "grid min-h-11 grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 border-l-2 py-2 pr-3 pl-3.5 hover:bg-raised",
          "md:grid-cols-[4.5rem_minmax(0,1.5fr)_minmax(0,1.1fr)_minmax(0,1fr)_6rem_1rem]",
          active ? "border-negative" : "border-transparent",
        )}
      >
        <span className="order-2 col-span-2 flex items-center gap-2 md:order-none md:col-span-1">
          <SeverityMark severity={alert.severity} />{" "}
          <span className="tabular truncate text-xs text-quiet md:hidden">{stateText(alert)}</span>
        </span>{" "}
        <span className="min-w-0 truncate" title={`${alertTitle(alert)} ${inScope(alert.scope)}`}>
          <span className="font-medium">{alertTitle(alert)}</span>{" "}
          <span className="text-quiet">
            <ScopeText scope={alert.scope} />
          </span>
        </span>{" "}
        <span className="tabular order-3 col-span-2 truncate text-xs text-quiet md:order-none md:col-span-1 md:text-sm md:text-text">
          {measured(alert, value)}
          {alert.post_count > 0 && <span className="text-quiet"> · {plural(alert.post_count, "post")}</span>}
        </span>{" "}
        <span className="tabular hidden truncate text-quiet md:inline">
          {stateText(alert)}
          {by !== undefined && ` · ${acknowledgedText(by)}`}
        </span>{" "}
        <span
          className="tabular order-1 text-right text-xs whitespace-nowrap text-quiet md:order-none"
          title={exact(alert.triggered_at)}
        >
          {ago(alert.triggered_at, now)}
        </span>
        <ChevronRight size={14} aria-hidden="true" className="hidden text-quiet md:block" />
      </Link>
    </li>
  );
}
