import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { deleteMuteTiming, getMuteTimings } from "@/api/notify";
import type { MuteTiming } from "@/api/types";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EditRemove } from "@/ui/EditRemove";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useChange } from "@/ui/useSave";
import { MuteForm } from "./MuteForm";
import { intervalText } from "./muteWords";

/** The content of the drawer: a mute timing, the form of a new one, or `null` while it is closed. */
type Editing = MuteTiming | "new" | null;

/** The mute timings: hours of the week that routes use as quiet hours or as active hours. */
export function MuteTimings() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: keys.muteTimings.all, queryFn: ({ signal }) => getMuteTimings(signal) });
  const timings = query.data;
  const close = () => setEditing(null);
  return (
    <Card
      title="Mute timings"
      action={
        <Allowed scope="edit">
          <Button onClick={() => setEditing("new")}>
            <Plus size={14} aria-hidden="true" />
            Add mute timing
          </Button>
        </Allowed>
      }
    >
      <ReadOnlyNote scope="edit" what="mute timings" />
      {query.error && !timings ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !timings ? (
        <SkeletonRows rows={2} />
      ) : timings.length === 0 ? (
        <EmptyState title="No mute timings">
          <p>
            A mute timing defines quiet hours, such as nights and weekends. Routes that use it wait until the
            quiet hours end.
          </p>
        </EmptyState>
      ) : (
        <ul className="-mx-4 -mb-4 border-t border-border text-sm">
          {timings.map((timing) => (
            <MuteRow key={timing.id} timing={timing} onEdit={() => setEditing(timing)} />
          ))}
        </ul>
      )}
      <Drawer
        title={editing === "new" ? "Add mute timing" : "Edit mute timing"}
        open={editing !== null}
        onClose={close}
      >
        {editing !== null && <MuteForm before={editing === "new" ? null : editing} onDone={close} />}
      </Drawer>
    </Card>
  );
}

function MuteRow({ timing, onEdit }: { timing: MuteTiming; onEdit: () => void }) {
  const remove = useChange(() => deleteMuteTiming(timing), [keys.muteTimings.all]);
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p>
          <span className="font-medium [overflow-wrap:anywhere]">{timing.name}</span>{" "}
          <span className="text-quiet">
            {timing.zone ?? "UTC"}
            {timing.provisioned && ", from the configuration"}
          </span>
        </p>
        <ul className="text-xs text-quiet">
          {timing.intervals.map((interval) => (
            <li key={JSON.stringify(interval)}>{intervalText(interval)}</li>
          ))}
        </ul>
      </div>
      <Allowed scope="edit">
        {!timing.provisioned && (
          <div className="flex flex-wrap gap-2">
            <EditRemove
              name={timing.name}
              text="A mute timing that a route uses cannot be removed. Change the route first."
              remove={remove}
              onEdit={onEdit}
            />
          </div>
        )}
      </Allowed>
    </li>
  );
}
