import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getReceivers } from "@/api/notify";
import { useFailedReceivers } from "@/api/queries";
import type { Receiver } from "@/api/types";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { Deliveries } from "./Deliveries";
import { ReceiverForm } from "./ReceiverForm";
import { ReceiverRow } from "./ReceiverRow";

/** The content of the drawer: a receiver, the form of a new one, or `null` while it is closed. */
type Editing = Receiver | "new" | null;

/** The receivers view. */
export function Receivers() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: keys.receivers.all, queryFn: ({ signal }) => getReceivers(signal) });
  const receivers = query.data;
  const failed = useFailedReceivers();
  return (
    <>
      <AlertTabs />
      <div className="flex flex-col gap-4">
        <Card
          title="Receivers"
          action={
            <Allowed scope="edit">
              <Button onClick={() => setEditing("new")}>
                <Plus size={14} aria-hidden="true" />
                Add receiver
              </Button>
            </Allowed>
          }
        >
          <ReadOnlyNote scope="edit" what="receivers" />
          {query.error && !receivers ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !receivers ? (
            <SkeletonRows rows={3} />
          ) : receivers.length === 0 ? (
            <EmptyState title="No receivers">
              <p>Add a webhook, a Slack channel or an e-mail address to get notified of alerts.</p>
            </EmptyState>
          ) : (
            <ul className="-mx-4 -mb-4 border-t border-border text-sm">
              {receivers.map((receiver) => (
                <ReceiverRow
                  key={receiver.id}
                  receiver={receiver}
                  failed={failed.has(receiver.name)}
                  onEdit={() => setEditing(receiver)}
                />
              ))}
            </ul>
          )}
        </Card>
        <Deliveries />
      </div>
      <Drawer
        title={editing === "new" ? "Add receiver" : "Edit receiver"}
        open={editing !== null}
        onClose={() => setEditing(null)}
      >
        {editing !== null && (
          <ReceiverForm before={editing === "new" ? null : editing} onDone={() => setEditing(null)} />
        )}
      </Drawer>
    </>
  );
}
