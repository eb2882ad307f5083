import { useQuery } from "@tanstack/react-query";
import { BellOff, Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getSilences } from "@/api/notify";
import type { Silence } from "@/api/types";
import { useNow } from "@/lib/useNow";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { SilenceForm } from "./SilenceForm";
import { SilenceRow } from "./SilenceRow";

/** The silence in the drawer: a new one, an existing one, or none. */
type Editing = Silence | "new" | null;

/** The silences view. */
export function Silences() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: keys.silences.all, queryFn: ({ signal }) => getSilences(signal) });
  const silences = query.data;
  const lasting = silences?.filter(({ state }) => state !== "expired") ?? [];
  const ended = silences?.filter(({ state }) => state === "expired") ?? [];
  return (
    <>
      <AlertTabs />
      <div className="flex flex-col gap-4">
        <Card
          title="Silences"
          {...(lasting.length > 0 ? { note: `${lasting.length} active or scheduled` } : {})}
          action={
            <Button onClick={() => setEditing("new")}>
              <Plus size={14} aria-hidden="true" />
              Add silence
            </Button>
          }
        >
          {query.error && !silences ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !silences ? (
            <SkeletonRows rows={3} />
          ) : lasting.length === 0 ? (
            <EmptyState title="No silences">
              <p>Silence expected alerts during planned work. Silenced alerts send no notifications.</p>
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
        title={editing === "new" ? "Add silence" : "Edit silence"}
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
