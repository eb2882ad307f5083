import type { Channel } from "@/api/types";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

interface ChannelInputsProps {
  channel: Channel;
  onChange: (channel: Channel) => void;
  secret: string;
  onSecret: (secret: string) => void;
  /** Names of the secrets that are set. */
  kept: readonly string[];
  error: unknown;
}

/** What a channel of each kind needs. */
export function ChannelInputs(props: ChannelInputsProps) {
  const { channel, onChange, error } = props;
  switch (channel.kind) {
    case "webhook":
      return (
        <>
          <Field
            label="Address"
            hint="Gets a POST of JSON in Alertmanager's form"
            error={fieldError(error, "channel")}
          >
            {(ids) => (
              <input
                {...ids}
                type="url"
                placeholder="https://hooks.example.org/alerts"
                value={channel.url}
                onChange={(event) => onChange({ ...channel, url: event.target.value })}
                className={inputClass}
                required
              />
            )}
          </Field>
          <Secret
            {...props}
            label="Signing key"
            name="signing_key"
            hint="Signs each message with HMAC-SHA256. May stay empty."
          />
        </>
      );
    case "slack":
      return (
        <Secret
          {...props}
          label="Address of the incoming webhook"
          name="url"
          hint="From Slack, Mattermost, Rocket.Chat, or Discord with /slack at its end"
        />
      );
    case "email":
      return (
        <Field label="Addresses" hint="One in each line" error={fieldError(error, "channel")}>
          {(ids) => (
            <textarea
              {...ids}
              value={channel.to.join("\n")}
              onChange={(event) => onChange({ ...channel, to: event.target.value.split(/[\s,]+/) })}
              className={`${inputClass} h-20 py-1.5`}
              required
            />
          )}
        </Field>
      );
    case "command":
      return (
        <Field
          label="Program and arguments"
          hint="One in each line; no shell reads them. Only where the configuration allows commands."
          error={fieldError(error, "channel")}
        >
          {(ids) => (
            <textarea
              {...ids}
              value={channel.command.join("\n")}
              onChange={(event) => onChange({ ...channel, command: event.target.value.split("\n") })}
              className={`${inputClass} h-20 py-1.5 font-mono`}
              required
            />
          )}
        </Field>
      );
  }
}

interface SecretProps extends ChannelInputsProps {
  label: string;
  name: string;
  hint: string;
}

/** A secret is written and never read: what is set is not shown, and an empty field leaves it. */
function Secret({ label, name, hint, secret, onSecret, kept, error }: SecretProps) {
  const isSet = kept.includes(name);
  return (
    <Field
      label={label}
      hint={isSet ? "It is set. Leave this empty to keep it." : hint}
      error={fieldError(error, "secrets")}
    >
      {(ids) => (
        <input
          {...ids}
          type="password"
          autoComplete="off"
          value={secret}
          onChange={(event) => onSecret(event.target.value)}
          className={inputClass}
        />
      )}
    </Field>
  );
}
