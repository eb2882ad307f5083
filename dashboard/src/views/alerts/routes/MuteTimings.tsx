import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { deleteMuteTiming, getMuteTimings } from "@/api/notify";
import type { MuteTiming } from "@/api/types";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { MuteForm } from "./MuteForm";
import { intervalText } from "./muteWords";

/** What is open in the drawer: a new mute timing, one that is changed, or nothing. */
type Editing = MuteTiming | "new" | null;

/** Hours of the week in which a route tells nobody. */
export function MuteTimings() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: ["mute-timings"], queryFn: ({ signal }) => getMuteTimings(signal) });
  const timings = query.data;
  const close = () => setEditing(null);
  return (
    <Card
      title="Mute timings"
      action={
        <Button onClick={() => setEditing("new")}>
          <Plus size={14} aria-hidden="true" />
          Add a mute timing
        </Button>
      }
    >
      {query.error && !timings ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !timings ? (
        <SkeletonRows rows={2} />
      ) : timings.length === 0 ? (
        <EmptyState title="People are told at any hour">
          <p>
            A mute timing names hours of the week, as nights and weekends; routes that name it wait till they
            end.
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
        title={editing === "new" ? "Add a mute timing" : "Change the mute timing"}
        open={editing !== null}
        onClose={close}
      >
        {editing !== null && <MuteForm before={editing === "new" ? null : editing} onDone={close} />}
      </Drawer>
    </Card>
  );
}

function MuteRow({ timing, onEdit }: { timing: MuteTiming; onEdit: () => void }) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteMuteTiming(timing),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["mute-timings"] }),
  });
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p>
          <span className="font-medium [overflow-wrap:anywhere]">{timing.name}</span>{" "}
          <span className="text-quiet">
            {timing.zone ?? "UTC"}
            {timing.provisioned && ", from the configuration file"}
          </span>
        </p>
        <ul className="text-xs text-quiet">
          {timing.intervals.map((interval) => (
            <li key={JSON.stringify(interval)}>{intervalText(interval)}</li>
          ))}
        </ul>
      </div>
      {!timing.provisioned && (
        <div className="flex flex-wrap gap-2">
          <Button onClick={onEdit} aria-label={`Change ${timing.name}`}>
            Change
          </Button>
          <ConfirmButton
            action="Remove"
            title={`Remove ${timing.name}?`}
            text="From now on people are told in these hours, too."
            pending={remove.isPending}
            error={remove.error}
            onConfirm={() => remove.mutate()}
          />
        </div>
      )}
    </li>
  );
}
