import type { ReactNode } from "react";
import type { AuditEvent } from "@/api/types";
import { exact } from "@/lib/format";
import { actionWords, targetName } from "./actionWords";
import { LogRow } from "./LogRow";

interface AuditRowProps {
  event: AuditEvent;
  now: number;
  /** Shows only the events of this actor. */
  onActor: () => void;
}

/** A request of the audit log. */
export function AuditRow({ event, now, onActor }: AuditRowProps) {
  const who = (
    <>
      <bdi>{event.actor}</bdi>
      {event.address && <span className="block text-xs">{event.address}</span>}
    </>
  );
  return (
    <LogRow what={<Action event={event} />} who={who} at={event.at} now={now}>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-quiet">
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
    </LogRow>
  );
}

function Action({ event }: { event: AuditEvent }) {
  const name = targetName(event.action, event.target);
  return (
    <>
      {event.outcome === "denied" && "Denied: "}
      {actionWords(event.action)}
      {name !== undefined && (
        <>
          {" "}
          <bdi className="font-medium">{/^\d+$/.test(name) ? `#${name}` : name}</bdi>
        </>
      )}
      <OutcomeNote event={event} />
    </>
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
