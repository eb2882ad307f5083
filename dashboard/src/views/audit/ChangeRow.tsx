import { Link } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import type { AuditChange } from "@/api/types";
import { ago, exact } from "@/lib/format";
import { changeWords, type FieldChange, fieldChanges } from "./changeWords";

/** A change: what, who and when. The values before and after open below. */
export function ChangeRow({ change, now }: { change: AuditChange; now: number }) {
  const fields = fieldChanges(change);
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
            {changeWords(change)} <bdi className="font-medium">{change.name}</bdi>
          </span>
          <bdi className="min-w-0 basis-48 text-quiet [overflow-wrap:anywhere]">{change.actor}</bdi>
          <span className="tabular w-24 text-right text-xs text-quiet" title={exact(change.at)}>
            {ago(change.at, now)}
          </span>
        </summary>
        <div className="mt-2 flex flex-col gap-2 pl-5.5 text-xs">
          <p className="text-quiet">
            {exact(change.at)}
            <ObjectLink change={change} />
          </p>
          {fields.length === 0 ? (
            <p className="text-quiet">No values changed.</p>
          ) : (
            <Values change={change} fields={fields} />
          )}
        </div>
      </details>
    </li>
  );
}

/** The values before and after. An added or deleted object has only one of them. */
function Values({ change, fields }: { change: AuditChange; fields: readonly FieldChange[] }) {
  const [hasBefore, hasAfter] = [change.before != null, change.after != null];
  return (
    <table className="w-full table-fixed border-collapse text-left">
      <thead className="text-quiet">
        <tr className="border-b border-border">
          <th className="w-1/4 py-1 pr-3 font-normal">Field</th>
          {hasBefore && <th className="py-1 pr-3 font-normal">Before</th>}
          {hasAfter && <th className="py-1 font-normal">After</th>}
        </tr>
      </thead>
      <tbody>
        {fields.map(({ field, before, after }) => (
          <tr key={field} className="border-b border-border align-top last:border-b-0">
            <th className="py-1 pr-3 font-mono font-normal [overflow-wrap:anywhere]">{field}</th>
            {hasBefore && <Value text={before} />}
            {hasAfter && <Value text={after} />}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ text }: { text: string | null }) {
  return (
    <td className="py-1 pr-3 font-mono [overflow-wrap:anywhere]">
      {text === null ? <span className="font-sans text-quiet">not set</span> : <bdi>{text}</bdi>}
    </td>
  );
}

/** A link to the object, for kinds with a page of their own. */
function ObjectLink({ change: { object_kind, object_id, action } }: { change: AuditChange }) {
  if (action === "delete" || !/^\d+$/.test(object_id)) return null;
  const look = "ml-3 text-text underline underline-offset-2";
  if (object_kind === "rule") {
    return (
      <Link to="/alerts/rules/$id" params={{ id: object_id }} className={look}>
        Open rule
      </Link>
    );
  }
  if (object_kind === "alert") {
    return (
      <Link to="/alerts/$id" params={{ id: object_id }} className={look}>
        Open alert
      </Link>
    );
  }
  return null;
}
