import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import type { ReactNode } from "react";
import type { AlertDetail } from "@/api/types";
import { exact } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { keepFilters } from "@/shell/keepFilters";
import { cx } from "@/ui/cx";
import { ScopeText } from "../ScopeText";
import { SeverityMark } from "../SeverityMark";
import { acknowledgedText, alertTitle, isActive, stateText } from "../words";

/** The title of an alert with its state and severity. */
export function AlertHeader({ alert, actions }: { alert: AlertDetail; actions: ReactNode }) {
  const active = isActive(alert);
  const { summary, ...others } = alert.annotations ?? {};
  return (
    <header className="flex flex-col gap-2 sm:gap-3">
      <Link
        to="/alerts"
        search={keepFilters}
        className="-my-2 inline-flex min-h-11 items-center gap-1.5 self-start text-sm text-quiet hover:text-text sm:my-0 sm:min-h-0"
      >
        <ArrowLeft size={14} aria-hidden="true" />
        All alerts
      </Link>
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-60 flex-1">
          <h2 className="text-xl font-semibold text-balance [overflow-wrap:anywhere]">
            {alertTitle(alert)}{" "}
            <span className="font-normal text-quiet">
              <ScopeText scope={alert.scope} />
            </span>
          </h2>
          <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
            <span className={cx("font-medium", !active && "text-quiet")}>
              <span aria-hidden="true" className={active ? "text-negative" : "text-quiet"}>
                {stateText(alert).charAt(0)}
              </span>
              {stateText(alert).slice(1)}
            </span>
            <SeverityMark severity={alert.severity} />
            <span className="text-quiet">
              {active ? "since" : "fired"} {exact(alert.triggered_at)}
            </span>
          </p>
          {summary && <p className="mt-2 max-w-[90ch] [overflow-wrap:anywhere]">{summary}</p>}
          <Annotations texts={others} />
        </div>
        <div className="hidden sm:block">{actions}</div>
      </div>
      {alert.acknowledged && (
        <p className="card px-4 py-2.5 text-sm">
          <span className="font-medium">
            <bdi>{acknowledgedText(alert.acknowledged.by)}</bdi>
          </span>{" "}
          <span className="text-quiet">
            at {exact(alert.acknowledged.at)}. Reminders stop, except to Alertmanager.
          </span>
          {alert.acknowledged.note && (
            <span className="block whitespace-pre-line [overflow-wrap:anywhere]">
              {alert.acknowledged.note}
            </span>
          )}
        </p>
      )}
    </header>
  );
}

function Annotations({ texts }: { texts: Record<string, string> }) {
  return Object.entries(texts).map(([name, text]) => (
    <p key={name} className="mt-1 text-sm [overflow-wrap:anywhere]">
      <span className="text-quiet">{sentence(name.replaceAll("_", " "))}:</span>{" "}
      {/^https?:\/\//.test(text) ? (
        <a href={text} target="_blank" rel="noreferrer" className="underline underline-offset-2">
          {text}
        </a>
      ) : (
        text
      )}
    </p>
  ));
}
