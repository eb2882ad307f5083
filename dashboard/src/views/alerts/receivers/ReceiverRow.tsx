import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Send } from "lucide-react";
import { keys } from "@/api/keys";
import { deleteReceiver, testReceiver } from "@/api/notify";
import type { DeliveryDetail, Receiver } from "@/api/types";
import { duration } from "@/lib/format";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { EditRemove } from "@/ui/EditRemove";
import { useChange } from "@/ui/useSave";
import { destination, kindName } from "./channel";

interface ReceiverRowProps {
  receiver: Receiver;
  /** Whether the last delivery to this receiver failed. */
  failed: boolean;
  onEdit: () => void;
}

/** A receiver with its channel and a test button. */
export function ReceiverRow({ receiver, failed, onEdit }: ReceiverRowProps) {
  const queries = useQueryClient();
  const { id, name, channel, provisioned, secrets } = receiver;
  const test = useMutation({
    mutationFn: () => testReceiver(id),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.deliveries.all }),
  });
  const remove = useChange(() => deleteReceiver(receiver), [keys.receivers.all]);
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p>
          <span className="font-medium">{name}</span>{" "}
          <span className="text-quiet">{kindName(channel.kind)}</span>
          {failed && (
            <span className="ml-2">
              <span aria-hidden="true" className="text-negative">
                ▼
              </span>{" "}
              Last delivery failed
            </span>
          )}
        </p>
        <p className="text-xs text-quiet [overflow-wrap:anywhere]">
          {destination(channel)}
          {secrets.length > 0 && `, with ${secrets.join(", ")}`}
          {provisioned && ", from the configuration"}
          {receiver.send_resolved === false && ", not notified when alerts resolve"}
        </p>
        <p role="status" className="text-xs">
          {test.data && testText(test.data)}
        </p>
        <FailureNote error={test.error} />
      </div>
      <Allowed scope="edit">
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => test.mutate()} disabled={test.isPending} aria-label={`Test ${name}`}>
            <Send size={14} aria-hidden="true" />
            {test.isPending ? "Sending" : "Test"}
          </Button>
          {!provisioned && (
            <EditRemove
              name={name}
              text="A receiver that a route uses cannot be removed. The deliveries of a removed receiver stay in the log."
              remove={remove}
              onEdit={onEdit}
            />
          )}
        </div>
      </Allowed>
    </li>
  );
}

function testText({ state, log }: DeliveryDetail): string {
  const last = log.at(-1);
  const took = last ? ` in ${duration(last.elapsed_ms / 1_000)}` : "";
  if (state === "delivered")
    return `▲ Test delivered${took}${last?.status ? `, status ${last.status}` : ""}.`;
  if (last?.error) return `▼ Test failed: ${last.error}`;
  return "● Test pending. The result appears under Deliveries.";
}
