import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { saveReceiver } from "@/api/notify";
import type { Channel, Receiver } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field, FormError, fieldError } from "@/ui/Field";
import { SelectInput } from "@/ui/SelectInput";
import { NameField } from "../NameField";
import { ChannelInputs } from "./ChannelInputs";
import { CHANNEL_KINDS, emptyChannel } from "./channel";

const FIELDS = ["name", "channel", "secrets"];

interface ReceiverFormProps {
  /** The receiver that is changed; a new one otherwise. */
  before: Receiver | null;
  onDone: () => void;
}

/** Says who is told of alerts, and how they are reached. */
export function ReceiverForm({ before, onDone }: ReceiverFormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(before?.name ?? "");
  const [channel, setChannel] = useState<Channel>(before?.channel ?? emptyChannel("webhook"));
  const [sendResolved, setSendResolved] = useState(before?.send_resolved ?? true);
  const [secret, setSecret] = useState("");
  const save = useMutation({
    mutationFn: () =>
      saveReceiver(
        {
          name: name.trim(),
          channel: withoutBlanks(channel),
          send_resolved: sendResolved,
          max_alerts: before?.max_alerts ?? null,
          secrets: secretsOf(channel, secret),
        },
        before,
      ),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["receivers"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <NameField
        value={name}
        example="on-call"
        kept={before !== null}
        onChange={setName}
        error={fieldError(save.error, "name")}
      />
      <Field label="Reached by">
        {(ids) => (
          <SelectInput
            {...ids}
            value={channel.kind}
            options={CHANNEL_KINDS}
            onChange={(kind) => setChannel(emptyChannel(kind))}
          />
        )}
      </Field>
      <ChannelInputs
        channel={channel}
        onChange={setChannel}
        secret={secret}
        onSecret={setSecret}
        kept={before?.secrets ?? []}
        error={save.error}
      />
      <label className="flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked={sendResolved}
          onChange={(event) => setSendResolved(event.target.checked)}
          className="size-4 accent-(--color-focus)"
        />
        Tell them when an alert is over, too
      </label>
      <FormError error={save.error} fields={FIELDS} />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="solid" disabled={save.isPending}>
          {before ? "Save" : "Add"}
        </Button>
      </div>
    </form>
  );
}

/** Lines that were left empty are no addresses or arguments. */
function withoutBlanks(channel: Channel): Channel {
  const filled = (lines: readonly string[]) => lines.filter((line) => line.trim() !== "");
  if (channel.kind === "email") return { ...channel, to: filled(channel.to) };
  if (channel.kind === "command") return { ...channel, command: filled(channel.command) };
  return channel;
}

/** The secret under the name that its kind gives it; an empty field leaves what is there. */
function secretsOf({ kind }: Channel, secret: string): Record<string, string> {
  if (secret === "") return {};
  return kind === "slack" ? { url: secret } : { signing_key: secret };
}
