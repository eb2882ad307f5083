import type { Channel } from "@/api/types";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

interface ChannelInputsProps {
  channel: Channel;
  onChange: (channel: Channel) => void;
  secret: string;
  onSecret: (secret: string) => void;
  /** The names of stored secrets. */
  kept: readonly string[];
  error: unknown;
}

/** The settings of a channel. */
export function ChannelInputs(props: ChannelInputsProps) {
  const { channel, onChange, error } = props;
  switch (channel.kind) {
    case "webhook":
      return (
        <>
          <Field
            label="URL"
            hint="Receives a JSON POST in Alertmanager's format"
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
            hint="Optional. Signs each message with HMAC-SHA256."
          />
        </>
      );
    case "slack":
      return (
        <Secret
          {...props}
          label="Incoming webhook URL"
          name="url"
          hint="From Slack, Mattermost or Rocket.Chat. For Discord, append /slack."
        />
      );
    case "email":
      return (
        <Field label="E-mail addresses" hint="One per line" error={fieldError(error, "channel")}>
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
          hint="One per line, run without a shell. Commands must be enabled in the configuration."
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

/** A write-only secret. Stored values are not shown, and an empty field keeps them. */
function Secret({ label, name, hint, secret, onSecret, kept, error }: SecretProps) {
  const isSet = kept.includes(name);
  return (
    <Field
      label={label}
      hint={isSet ? "A value is stored. Leave empty to keep it." : hint}
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
