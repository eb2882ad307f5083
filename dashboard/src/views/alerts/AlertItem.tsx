import { ChevronDown } from "lucide-react";
import { useId, useState } from "react";
import type { Alert } from "@/api/types";
import { ago, exact } from "@/lib/format";
import { cx } from "@/ui/cx";
import { AlertFacts } from "./AlertFacts";
import { Evidence } from "./Evidence";
import { alertTitle, measured, scopeName, stateText } from "./words";

/** An alert that is open: what it found, beside the posts behind it. */
export function FiringAlert({ alert, now }: { alert: Alert; now: number }) {
  return (
    <article className="card overflow-hidden border-negative text-sm">
      <header className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 pt-3">
        <h3 className="text-lg font-semibold">
          <span aria-hidden="true" className="mr-1.5 text-sm text-negative">
            ▼
          </span>
          {alertTitle(alert)} <span className="font-normal text-quiet">in {scopeName(alert.scope)}</span>
        </h3>
        <span className="ml-auto text-xs text-quiet" title={exact(alert.triggered_at)}>
          fires since {ago(alert.triggered_at, now)}
        </span>
      </header>
      <Body alert={alert} now={now} />
    </article>
  );
}

/** An alert that is over, in a line that opens. */
export function PastAlert({ alert, now }: { alert: Alert; now: number }) {
  const [open, setOpen] = useState(false);
  const body = useId();
  return (
    <li className="border-b border-border text-sm last:border-b-0">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={body}
        onClick={() => setOpen(!open)}
        className="grid w-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 px-4 py-2 text-left hover:bg-raised md:grid-cols-[minmax(0,1.4fr)_minmax(0,1fr)_minmax(0,1.2fr)_5.5rem_1rem]"
      >
        <span className="min-w-0 truncate">
          <span className="font-medium">{alertTitle(alert)}</span>{" "}
          <span className="text-quiet">in {scopeName(alert.scope)}</span>
        </span>
        <span className="tabular col-start-1 row-start-2 truncate text-xs text-quiet md:col-start-auto md:row-start-auto md:text-sm">
          {measured(alert)}
        </span>
        <span className="tabular hidden truncate text-quiet md:block">{stateText(alert)}</span>
        <span className="tabular text-right text-xs text-quiet" title={exact(alert.triggered_at)}>
          {ago(alert.triggered_at, now)}
        </span>
        <ChevronDown
          size={14}
          aria-hidden="true"
          className={cx("hidden text-quiet transition-transform duration-150 md:block", open && "rotate-180")}
        />
      </button>
      <div id={body}>{open && <Body alert={alert} now={now} />}</div>
    </li>
  );
}

function Body({ alert, now }: { alert: Alert; now: number }) {
  return (
    <div className="grid grid-cols-1 gap-x-6 gap-y-4 px-4 pt-2 pb-4 lg:grid-cols-[24rem_minmax(0,1fr)]">
      <AlertFacts alert={alert} />
      <Evidence alert={alert} now={now} />
    </div>
  );
}
