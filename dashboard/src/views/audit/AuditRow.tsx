import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import type { AuditEvent } from "@/api/types";
import { ago, exact } from "@/lib/format";
import { actionWords, targetName } from "./actionWords";

interface AuditRowProps {
  event: AuditEvent;
  now: number;
  /** Shows only the events of this actor. */
  onActor: () => void;
}

/** An event: what, who, from where and when. Its details open below. */
export function AuditRow({ event, now, onActor }: AuditRowProps) {
  const name = targetName(event.action, event.target);
  return (
    <li className="border-b border-border px-4 py-2.5 last:border-b-0">
      <details className="group">
        <summary className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 list-none [&::-webkit-details-marker]:hidden">
          <ChevronRight
            size={14}
            aria-hidden="true"
            className="mt-0.5 -mr-2 shrink-0 self-start text-quiet transition-transform duration-150 group-open:rotate-90 rtl:-scale-x-100"
          />
          <span className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">
            {event.outcome === "denied" && "Denied: "}
            {actionWords(event.action)}
            {name !== undefined && (
              <>
                {" "}
                <bdi className="font-medium">{/^\d+$/.test(name) ? `#${name}` : name}</bdi>
              </>
            )}
            <OutcomeNote event={event} />
          </span>
          <span className="min-w-0 basis-48 text-quiet [overflow-wrap:anywhere]">
            <bdi>{event.actor}</bdi>
            {event.address && <span className="block text-xs">{event.address}</span>}
          </span>
          <span className="tabular w-24 text-right text-xs text-quiet" title={exact(event.at)}>
            {ago(event.at, now)}
          </span>
        </summary>
        <dl className="mt-2 grid pl-5.5 grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-xs text-quiet">
          <Fact name="Time">{exact(event.at)}</Fact>
          <Fact name="Actor">
            <button type="button" className="text-text underline underline-offset-2" onClick={onActor}>
              Show only <bdi>{event.actor}</bdi>
            </button>
          </Fact>
          <Fact name="Address">{event.address ?? "not known"}</Fact>
          <Fact name="Request">
            {event.action.split(" ")[0]} {event.target}
          </Fact>
          <Fact name="Status">{event.status === 0 ? "connection closed" : String(event.status)}</Fact>
          <Fact name="Request id">{event.request_id}</Fact>
        </dl>
      </details>
    </li>
  );
}

function OutcomeNote({ event }: { event: AuditEvent }) {
  if (event.outcome !== "unknown") return null;
  return (
    <span className="block text-xs text-quiet">The request did not finish. The change may be stored.</span>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd className="min-w-0 text-text [overflow-wrap:anywhere]">{children}</dd>
    </>
  );
}
