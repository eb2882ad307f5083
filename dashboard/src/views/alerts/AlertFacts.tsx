import { Link } from "@tanstack/react-router";
import type { Alert } from "@/api/types";
import { count, percent, plural, score } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { buttonClass } from "@/ui/Button";
import { spanText } from "./timeText";
import { evidence, measured, stateText } from "./words";

/** The window and the numbers of an alert, and the way to all its posts. */
export function AlertFacts({ alert }: { alert: Alert }) {
  return (
    <div className="flex flex-col gap-3">
      <dl className="grid grid-cols-[7.5rem_1fr] gap-x-4 gap-y-1">
        <dt className="text-quiet">Measured</dt>
        <dd className="tabular font-medium">{measured(alert)}</dd>
        <dt className="text-quiet">Window</dt>
        <dd className="tabular">
          {spanText(alert.window_start, alert.window_end)}, {plural(alert.post_count, "post")}
        </dd>
        <dt className="text-quiet">State</dt>
        <dd>{stateText(alert)}</dd>
        <Details details={alert.details} />
      </dl>
      <div>
        <Link to="/posts" search={evidence(alert)} className={buttonClass()}>
          All its negative posts
        </Link>
      </div>
    </div>
  );
}

function Details({ details }: { details: Alert["details"] }) {
  return Object.entries(details)
    .filter(([, value]) => typeof value === "number" || typeof value === "string")
    .map(([name, value]) => (
      <div key={name} className="contents">
        <dt className="text-quiet">{sentence(name.replaceAll("_", " "))}</dt>
        <dd className="tabular [overflow-wrap:anywhere]">
          {typeof value === "number" ? detailText(name, value) : String(value)}
        </dd>
      </div>
    ));
}

function detailText(name: string, value: number): string {
  if (name.endsWith("_share")) return percent(value * 100);
  return Number.isInteger(value) ? count(value) : score(value);
}
