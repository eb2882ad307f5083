import { useState } from "react";
import { keys } from "@/api/keys";
import { saveReceiver } from "@/api/notify";
import type { Channel, Receiver, Templates } from "@/api/types";
import { writtenOf } from "@/lib/written";
import { CheckBox } from "@/ui/CheckBox";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { useSave } from "@/ui/useSave";
import { NameField } from "../NameField";
import { ChannelInputs } from "./ChannelInputs";
import {
  CHANNEL_KINDS,
  changesOf,
  emptyChannel,
  hasText,
  kindName,
  type SecretChanges,
  savedChannel,
  secretsOf,
} from "./channel";
import { SecretInputs } from "./SecretInputs";
import { isEmpty, TemplateInputs } from "./TemplateInputs";

interface ReceiverFormProps {
  /** The receiver to edit, or `null` for a new one. */
  before: Receiver | null;
  onDone: () => void;
}

/** The form of a receiver. */
export function ReceiverForm({ before, onDone }: ReceiverFormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [channel, setChannel] = useState<Channel>(before?.channel ?? emptyChannel("slack"));
  const [sendResolved, setSendResolved] = useState(before?.send_resolved ?? true);
  const [maxAlerts, setMaxAlerts] = useState(String(before?.max_alerts ?? 100));
  const [templates, setTemplates] = useState<Templates>(before?.templates ?? {});
  const [secrets, setSecrets] = useState<SecretChanges>({});
  const { kind } = channel;
  const save = useSave({
    save: () =>
      saveReceiver(
        {
          ...(before ? writtenOf(before) : {}),
          name: name.trim(),
          channel: savedChannel(channel),
          send_resolved: sendResolved,
          max_alerts: Number(maxAlerts),
          templates: hasText(kind) ? templates : {},
          secrets: changesOf(secrets, kind, before),
        },
        before,
      ),
    invalidates: [keys.receivers.all],
    onDone,
  });
  const chooseKind = (chosen: Channel["kind"]) => {
    setChannel(before?.channel.kind === chosen ? before.channel : emptyChannel(chosen));
    setSecrets({});
  };
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
        {(ids) => <SelectInput {...ids} value={kind} options={CHANNEL_KINDS} onChange={chooseKind} />}
      </Field>
      <ChannelInputs key={kind} channel={channel} onChange={setChannel} error={save.error} />
      <SecretInputs
        kind={kind}
        changes={secrets}
        onChange={setSecrets}
        kept={before?.channel.kind === kind ? before.secrets : []}
        error={save.error}
      />
      {hasText(kind) ? (
        <TemplateInputs
          channel={savedChannel(channel)}
          templates={templates}
          onChange={setTemplates}
          error={save.error}
        />
      ) : (
        !isEmpty(templates) && (
          <p role="note" className="text-xs">
            {kindName(kind)} has a fixed format. Saving removes the message templates of this receiver.
          </p>
        )
      )}
      <Field
        label="Maximum alerts per message"
        hint="The message says how many alerts were left out."
        error={fieldError(save.error, "max_alerts")}
      >
        {(ids) => (
          <input
            {...ids}
            type="number"
            min={1}
            max={1_000}
            value={maxAlerts}
            onChange={(event) => setMaxAlerts(event.target.value)}
            className={`${inputClass} tabular max-w-28`}
            required
          />
        )}
      </Field>
      <CheckBox checked={sendResolved} onChange={setSendResolved}>
        Also notify when an alert resolves
      </CheckBox>
      <FormError error={save.error} fields={shownFields(kind)} />
      <FormButtons submit={before ? "Save" : "Add"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}

/** The fields that show their errors at their inputs. The form shows the other errors. */
function shownFields(kind: Channel["kind"]): string[] {
  return [
    ...["name", "channel", "max_alerts", "secrets.header"],
    ...(hasText(kind) ? ["templates"] : []),
    ...secretsOf(kind).map((field) => `secrets.${field.name}`),
  ];
}
