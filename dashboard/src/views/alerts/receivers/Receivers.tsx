import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { getReceivers } from "@/api/notify";
import type { Receiver } from "@/api/types";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { AlertTabs } from "../AlertTabs";
import { Deliveries } from "./Deliveries";
import { ReceiverForm } from "./ReceiverForm";
import { ReceiverRow } from "./ReceiverRow";

/** What is open in the drawer: a new receiver, one that is changed, or nothing. */
type Editing = Receiver | "new" | null;

/** Who is told of alerts, and what came of it. */
export function Receivers() {
  const [editing, setEditing] = useState<Editing>(null);
  const query = useQuery({ queryKey: ["receivers"], queryFn: ({ signal }) => getReceivers(signal) });
  const receivers = query.data;
  return (
    <>
      <AlertTabs />
      <div className="flex flex-col gap-4">
        <Card
          title="Receivers"
          action={
            <Button onClick={() => setEditing("new")}>
              <Plus size={14} aria-hidden="true" />
              Add a receiver
            </Button>
          }
        >
          {query.error && !receivers ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !receivers ? (
            <SkeletonRows rows={3} />
          ) : receivers.length === 0 ? (
            <EmptyState title="Nobody is told of alerts">
              <p>Add a webhook, a Slack channel or an address, and send it a test.</p>
            </EmptyState>
          ) : (
            <ul className="-mx-4 -mb-4 border-t border-border text-sm">
              {receivers.map((receiver) => (
                <ReceiverRow key={receiver.id} receiver={receiver} onEdit={() => setEditing(receiver)} />
              ))}
            </ul>
          )}
        </Card>
        <Deliveries />
      </div>
      <Drawer
        title={editing === "new" ? "Add a receiver" : "Change the receiver"}
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
