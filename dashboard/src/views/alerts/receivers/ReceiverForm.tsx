import { useState } from "react";
import { keys } from "@/api/keys";
import { saveReceiver } from "@/api/notify";
import type { Channel, Receiver } from "@/api/types";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { SelectInput } from "@/ui/SelectInput";
import { useSave } from "@/ui/useSave";
import { NameField } from "../NameField";
import { ChannelInputs } from "./ChannelInputs";
import { CHANNEL_KINDS, emptyChannel } from "./channel";

const FIELDS = ["name", "channel", "secrets"];

interface ReceiverFormProps {
  /** The receiver to edit, or `null` for a new one. */
  before: Receiver | null;
  onDone: () => void;
}

/** The form of a receiver. */
export function ReceiverForm({ before, onDone }: ReceiverFormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [channel, setChannel] = useState<Channel>(before?.channel ?? emptyChannel("webhook"));
  const [sendResolved, setSendResolved] = useState(before?.send_resolved ?? true);
  const [secret, setSecret] = useState("");
  const save = useSave({
    save: () =>
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
    invalidates: [keys.receivers.all],
    onDone,
  });
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <NameField
        value={name}
        example="on-call"
        kept={before !== null}
        onChange={setName}
        error={fieldError(save.error, "name")}
      />
      <Field label="Channel">
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
        Also notify when an alert resolves
      </label>
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons submit={before ? "Save" : "Add"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}

/** Removes empty lines from addresses and arguments. */
function withoutBlanks(channel: Channel): Channel {
  const filled = (lines: readonly string[]) => lines.filter((line) => line.trim() !== "");
  if (channel.kind === "email") return { ...channel, to: filled(channel.to) };
  if (channel.kind === "command") return { ...channel, command: filled(channel.command) };
  return channel;
}

/** The secret under the name its channel uses. An empty field keeps the stored one. */
function secretsOf({ kind }: Channel, secret: string): Record<string, string> {
  if (secret === "") return {};
  return kind === "slack" ? { url: secret } : { signing_key: secret };
}
