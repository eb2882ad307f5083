import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Send } from "lucide-react";
import { deleteReceiver, testReceiver } from "@/api/notify";
import type { DeliveryDetail, Receiver } from "@/api/types";
import { duration } from "@/lib/format";
import { Button } from "@/ui/Button";
import { ConfirmButton, FailureNote } from "@/ui/ConfirmButton";
import { destination, kindName } from "./channel";

/** One receiver: where it is, and a message to try it out. */
export function ReceiverRow({ receiver, onEdit }: { receiver: Receiver; onEdit: () => void }) {
  const queries = useQueryClient();
  const { id, name, channel, provisioned, secrets } = receiver;
  const test = useMutation({
    mutationFn: () => testReceiver(id),
    onSettled: () => queries.invalidateQueries({ queryKey: ["deliveries"] }),
  });
  const remove = useMutation({
    mutationFn: () => deleteReceiver(receiver),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["receivers"] }),
  });
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p>
          <span className="font-medium">{name}</span>{" "}
          <span className="text-quiet">{kindName(channel.kind)}</span>
        </p>
        <p className="text-xs text-quiet [overflow-wrap:anywhere]">
          {destination(channel)}
          {secrets.length > 0 && `, with ${secrets.join(", ")}`}
          {provisioned && ", from the configuration file"}
          {receiver.send_resolved === false && ", not told when alerts are over"}
        </p>
        <p role="status" className="text-xs">
          {test.data && testText(test.data)}
        </p>
        <FailureNote error={test.error} />
      </div>
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => test.mutate()} disabled={test.isPending} aria-label={`Test ${name}`}>
          <Send size={14} aria-hidden="true" />
          {test.isPending ? "Sending" : "Test"}
        </Button>
        {!provisioned && (
          <>
            <Button onClick={onEdit} aria-label={`Change ${name}`}>
              Change
            </Button>
            <ConfirmButton
              action="Remove"
              title={`Remove ${name}?`}
              text="It is not told of alerts any more. Its deliveries stay in the log."
              pending={remove.isPending}
              error={remove.error}
              onConfirm={() => remove.mutate()}
            />
          </>
        )}
      </div>
    </li>
  );
}

function testText({ state, log }: DeliveryDetail): string {
  const last = log.at(-1);
  const took = last ? ` in ${duration(last.elapsed_ms / 1_000)}` : "";
  if (state === "delivered")
    return `▲ The test arrived${took}${last?.status ? `, answer ${last.status}` : ""}.`;
  if (last?.error) return `▼ The test did not arrive: ${last.error}`;
  return "● The test is on its way; the log below tells what comes of it.";
}
