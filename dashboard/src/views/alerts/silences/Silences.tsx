import { useQuery } from "@tanstack/react-query";
import { BellOff, Plus } from "lucide-react";
import { useState } from "react";
import { getSilences } from "@/api/notify";
import type { Silence } from "@/api/types";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { SilenceForm } from "./SilenceForm";
import { SilenceRow } from "./SilenceRow";

/** What is open in the drawer: a new silence, one that is changed, or nothing. */
type Editing = Silence | "new" | null;

/** Of which alerts nobody is told for a time. */
export function Silences() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: ["silences"], queryFn: ({ signal }) => getSilences(signal) });
  const silences = query.data;
  const lasting = silences?.filter(({ state }) => state !== "expired") ?? [];
  const ended = silences?.filter(({ state }) => state === "expired") ?? [];
  return (
    <>
      <AlertTabs />
      <div className="flex flex-col gap-4">
        <Card
          title="Silences"
          {...(lasting.length > 0 ? { note: plural(lasting.length, "lasts", "last") } : {})}
          action={
            <Button onClick={() => setEditing("new")}>
              <Plus size={14} aria-hidden="true" />
              Add a silence
            </Button>
          }
        >
          {query.error && !silences ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !silences ? (
            <SkeletonRows rows={3} />
          ) : lasting.length === 0 ? (
            <EmptyState title="Nothing is silenced">
              <p>During planned work, silence the alerts that are to be expected: nobody is told of them.</p>
              <BellOff size={20} aria-hidden="true" />
            </EmptyState>
          ) : (
            <Rows silences={lasting} onEdit={setEditing} />
          )}
        </Card>
        {ended.length > 0 && (
          <Card title="Ended" note="kept for 30 days">
            <Rows silences={ended} onEdit={setEditing} />
          </Card>
        )}
      </div>
      <Drawer
        title={editing === "new" ? "Add a silence" : "Change the silence"}
        open={editing !== null}
        onClose={() => setEditing(null)}
      >
        {editing !== null && (
          <SilenceForm before={editing === "new" ? null : editing} onDone={() => setEditing(null)} />
        )}
      </Drawer>
    </>
  );
}

function Rows({ silences, onEdit }: { silences: readonly Silence[]; onEdit: (silence: Silence) => void }) {
  const now = useNow(10_000);
  return (
    <ul className="-mx-4 -mb-4 border-t border-border text-sm">
      {silences.map((silence) => (
        <SilenceRow key={silence.id} silence={silence} now={now} onEdit={() => onEdit(silence)} />
      ))}
    </ul>
  );
}
