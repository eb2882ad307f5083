import { Link } from "@tanstack/react-router";
import type { AuditChange } from "@/api/types";
import { exact } from "@/lib/format";
import { changeWords, type FieldChange, fieldChanges } from "./changeWords";
import { LogRow } from "./LogRow";

/** A change of a setting or an object, with the values before and after. */
export function ChangeRow({ change, now }: { change: AuditChange; now: number }) {
  const fields = fieldChanges(change);
  const what = (
    <>
      {changeWords(change)} <bdi className="font-medium">{change.name}</bdi>
    </>
  );
  return (
    <LogRow what={what} who={<bdi>{change.actor}</bdi>} at={change.at} now={now}>
      <div className="flex flex-col gap-2">
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
    </LogRow>
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
