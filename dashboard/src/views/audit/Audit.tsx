import { useLocation, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { type AuditFilter, useAuditQuery } from "@/api/audit";
import { useDebounced } from "@/lib/useDebounced";
import { useNow } from "@/lib/useNow";
import { AdminOnly } from "@/shell/AdminOnly";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Choice } from "@/ui/Choice";
import { cx } from "@/ui/cx";
import { inputClass } from "@/ui/Input";
import { LoadMore } from "@/ui/LoadMore";
import { SelectInput } from "@/ui/SelectInput";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { SettingsTabs } from "../settings/SettingsTabs";
import { AuditRow } from "./AuditRow";
import { ChangesCard } from "./ChangesCard";
import { OUTCOMES } from "./outcomes";

const ALL: AuditFilter = { actor: "", outcome: "" };

/** The parts of the log. The fragment of the URL names the shown part. */
const PARTS = [
  { value: "requests", label: "Requests" },
  { value: "changes", label: "Changed values" },
] as const;

/** The audit log: requests with their actor and address, and changes with the values before and after. */
export function Audit() {
  const hash = useLocation({ select: (location) => location.hash });
  const part = hash === "changes" ? "changes" : "requests";
  const navigate = useNavigate();
  const choice = (
    <Choice
      label="Show"
      value={part}
      options={PARTS}
      onChange={(next) => void navigate({ to: ".", hash: next, search: true })}
    />
  );
  return (
    <AdminOnly>
      <SettingsTabs />
      {part === "changes" ? <ChangesCard action={choice} /> : <AuditCard action={choice} />}
    </AdminOnly>
  );
}

function AuditCard({ action }: { action: ReactNode }) {
  const [filter, setFilter] = useState(ALL);
  const { query, events } = useAuditQuery({ ...filter, actor: useDebounced(filter.actor.trim(), 300) });
  const now = useNow(10_000);
  const isFiltered = filter.actor.trim() !== "" || filter.outcome !== "";
  return (
    <Card title="Audit log" note="sign-ins, changes and denied requests" action={action}>
      <Filters filter={filter} onChange={setFilter} />
      {query.error && !events ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !events ? (
        <SkeletonRows rows={6} />
      ) : events.length === 0 ? (
        <EmptyState title={isFiltered ? "No matching events" : "No events"}>
          {isFiltered ? (
            <Button onClick={() => setFilter(ALL)}>Clear filters</Button>
          ) : (
            <p>Sign-ins, changes and denied requests appear here.</p>
          )}
        </EmptyState>
      ) : (
        <ol className={cx("-mx-4 border-t border-border text-sm", !query.hasNextPage && "-mb-4")}>
          {events.map((event) => (
            <AuditRow
              key={event.id}
              event={event}
              now={now}
              onActor={() => setFilter({ ...filter, actor: event.actor })}
            />
          ))}
        </ol>
      )}
      <LoadMore query={query}>Show older events</LoadMore>
    </Card>
  );
}

function Filters({ filter, onChange }: { filter: AuditFilter; onChange: (filter: AuditFilter) => void }) {
  return (
    <search className="mb-3 flex flex-wrap gap-2">
      <input
        type="search"
        aria-label="Actor"
        placeholder="Actor, exact name"
        value={filter.actor}
        maxLength={200}
        onChange={(event) => onChange({ ...filter, actor: event.target.value })}
        className={`${inputClass} sm:w-56`}
      />
      <SelectInput
        aria-label="Outcome"
        value={filter.outcome}
        options={[{ value: "", label: "All outcomes" }, ...OUTCOMES]}
        onChange={(outcome) => onChange({ ...filter, outcome })}
        className="sm:w-44"
      />
    </search>
  );
}
