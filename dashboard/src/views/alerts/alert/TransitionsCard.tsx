import { Link } from "@tanstack/react-router";
import type { AlertDetail, Transition } from "@/api/types";
import { exact } from "@/lib/format";
import { timeFormat } from "@/lib/timeFormat";
import { Allowed } from "@/shell/Allowed";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { cx } from "@/ui/cx";
import { STATES } from "../states";
import { kindOf, type RuleKind, valueText } from "../words";

const time = timeFormat({
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** The changes of an alert's state. */
export function TransitionsCard({ alert }: { alert: AlertDetail }) {
  const kind = kindOf(alert);
  return (
    <Card
      title="Timeline"
      action={
        <Allowed scope="admin">
          <Link to="/settings/audit" hash="changes" className={buttonClass("plain", "-mr-2")}>
            Audit log
          </Link>
        </Allowed>
      }
    >
      {alert.timeline.length === 0 ? (
        <p className="text-sm text-quiet">The timeline was deleted at the end of its retention period.</p>
      ) : (
        <ol className="text-sm">
          {alert.timeline.map((transition) => (
            <Step key={transition.id} transition={transition} kind={kind} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function Step({ transition, kind }: { transition: Transition; kind: RuleKind | undefined }) {
  const { to_state, at, value, reason } = transition;
  return (
    <li className="relative flex gap-3 pb-3 before:absolute before:top-4 before:bottom-0 before:left-[4.5px] before:w-px before:bg-border last:pb-0 last:before:hidden">
      <span
        aria-hidden="true"
        className={cx(
          "mt-1.5 size-2.5 shrink-0 rounded-full border-2",
          to_state === "firing" ? "border-negative bg-negative" : "border-strong bg-card",
        )}
      />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap justify-between gap-x-3">
          <span className="font-medium">{to_state === "normal" ? "Resolved" : STATES[to_state]}</span>
          <time
            dateTime={at}
            title={exact(at)}
            className="tabular text-xs leading-[1.125rem] whitespace-nowrap text-quiet"
          >
            {time.format(new Date(at))}
          </time>
        </p>
        {value != null && kind !== "absence" && (
          <p className="tabular text-xs text-quiet">Value: {valueText(kind, value)}</p>
        )}
        {reason && <p className="text-xs text-quiet [overflow-wrap:anywhere]">{reason}</p>}
      </div>
    </li>
  );
}
