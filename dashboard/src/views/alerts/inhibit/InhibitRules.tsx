import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { deleteInhibitRule, getInhibitRules } from "@/api/notify";
import type { InhibitRule, Matcher } from "@/api/types";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EditRemove } from "@/ui/EditRemove";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useChange } from "@/ui/useSave";
import { MatcherMark } from "../silences/SilenceRow";
import { InhibitForm } from "./InhibitForm";

/** The content of the drawer: an inhibition rule, the form of a new one, or `null` while it is closed. */
type Editing = InhibitRule | "new" | null;

/** The inhibition rules: alerts that suppress the notifications of other alerts. */
export function InhibitRules() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({
    queryKey: keys.inhibitRules.all,
    queryFn: ({ signal }) => getInhibitRules(signal),
  });
  const rules = query.data;
  const close = () => setEditing(null);
  return (
    <Card
      title="Inhibition rules"
      action={
        <Allowed scope="edit">
          <Button onClick={() => setEditing("new")}>
            <Plus size={14} aria-hidden="true" />
            Add inhibition rule
          </Button>
        </Allowed>
      }
    >
      <ReadOnlyNote scope="edit" what="inhibition rules" />
      {query.error && !rules ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !rules ? (
        <SkeletonRows rows={2} />
      ) : rules.length === 0 ? (
        <EmptyState title="No inhibition rules">
          <p>
            An inhibition rule suppresses notifications while a related alert fires. For example, an alert
            about all sources suppresses alerts about single sources.
          </p>
        </EmptyState>
      ) : (
        <ul className="-mx-4 -mb-4 border-t border-border text-sm">
          {rules.map((rule) => (
            <InhibitRow key={rule.id} rule={rule} onEdit={() => setEditing(rule)} />
          ))}
        </ul>
      )}
      <Drawer
        title={editing === "new" ? "Add inhibition rule" : "Edit inhibition rule"}
        open={editing !== null}
        onClose={close}
      >
        {editing !== null && <InhibitForm before={editing === "new" ? null : editing} onDone={close} />}
      </Drawer>
    </Card>
  );
}

function InhibitRow({ rule, onEdit }: { rule: InhibitRule; onEdit: () => void }) {
  const remove = useChange(() => deleteInhibitRule(rule), [keys.inhibitRules.all]);
  const equal = rule.equal ?? [];
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="flex min-w-52 flex-1 flex-col gap-1">
        <p>
          <span className="font-medium [overflow-wrap:anywhere]">{rule.name}</span>{" "}
          {rule.provisioned && <span className="text-quiet">from the configuration</span>}
        </p>
        {rule.mode === "first" ? (
          <>
            <Side
              text="Only the first to fire sends notifications, of these alerts:"
              matchers={rule.source_matchers}
            />
            <Side text="and these alerts:" matchers={rule.target_matchers} />
          </>
        ) : (
          <>
            <Side text="While these alerts fire:" matchers={rule.source_matchers} />
            <Side text="suppress these alerts:" matchers={rule.target_matchers} />
          </>
        )}
        {equal.length > 0 && (
          <p className="text-xs text-quiet [overflow-wrap:anywhere]">Only with the same {equal.join(", ")}</p>
        )}
      </div>
      <Allowed scope="edit">
        {!rule.provisioned && (
          <div className="flex flex-wrap gap-2">
            <EditRemove
              name={rule.name}
              text="Suppressed alerts send notifications again."
              remove={remove}
              onEdit={onEdit}
            />
          </div>
        )}
      </Allowed>
    </li>
  );
}

function Side({ text, matchers }: { text: string; matchers: readonly Matcher[] }) {
  return (
    <p className="flex flex-wrap items-center gap-1.5">
      <span className="text-xs text-quiet">{text}</span>
      {matchers.map((matcher) => (
        <MatcherMark key={`${matcher.label}${matcher.op}${matcher.value}`} matcher={matcher} />
      ))}
    </p>
  );
}
