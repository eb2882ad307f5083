import type { ReactNode } from "react";
import type { Channel } from "@/api/types";
import { DurationField } from "@/ui/DurationField";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { HeaderInputs } from "./HeaderInputs";

interface ChannelInputsProps {
  channel: Channel;
  onChange: (channel: Channel) => void;
  error: unknown;
}

/** The visible settings of a channel. */
export function ChannelInputs({ channel, onChange, error }: ChannelInputsProps): ReactNode {
  const at = (name: string) => fieldError(error, `channel.${name}`);
  switch (channel.kind) {
    case "webhook":
      return (
        <>
          <TextField
            label="URL"
            hint="Receives a JSON POST in Alertmanager's format"
            type="url"
            placeholder="https://hooks.example.org/alerts"
            value={channel.url}
            onChange={(url) => onChange({ ...channel, url })}
            error={at("url")}
            required
          />
          <HeaderInputs
            headers={channel.headers ?? {}}
            onChange={(headers) => onChange({ ...channel, headers })}
            error={at("headers")}
          />
        </>
      );
    case "email":
      return (
        <LinesField
          label="E-mail addresses"
          hint="One per line. Each address gets its own message."
          lines={channel.to}
          onChange={(to) => onChange({ ...channel, to })}
          error={at("to")}
        />
      );
    case "command":
      return (
        <>
          <LinesField
            label="Program and arguments"
            hint="One per line, run without a shell. Commands must be enabled in the configuration."
            lines={channel.command}
            onChange={(command) => onChange({ ...channel, command })}
            error={at("command")}
          />
          <DurationField
            label="Stop after"
            value={channel.timeout ?? "10s"}
            presets={["10s", "30s", "1min"]}
            onChange={(timeout) => onChange({ ...channel, timeout })}
            error={at("timeout")}
          />
        </>
      );
    case "telegram":
      return (
        <>
          <TextField
            label="Chat"
            hint="The id of the chat, or @channelname"
            placeholder="-1001234567890"
            value={channel.chat_id}
            onChange={(chat_id) => onChange({ ...channel, chat_id })}
            error={at("chat_id")}
            required
          />
          <TextField
            label="Topic of a forum group"
            hint="Optional. A number."
            type="number"
            value={channel.thread_id == null ? "" : String(channel.thread_id)}
            onChange={(id) => onChange({ ...channel, thread_id: id === "" ? null : Number(id) })}
            error={at("thread_id")}
          />
          <TextField
            label="Bot API server"
            hint="Default: api.telegram.org"
            type="url"
            value={channel.url ?? ""}
            onChange={(url) => onChange({ ...channel, url })}
            error={at("url")}
          />
        </>
      );
    case "ntfy":
      return (
        <>
          <TextField
            label="Topic"
            placeholder="acme-alerts"
            value={channel.topic}
            onChange={(topic) => onChange({ ...channel, topic })}
            error={at("topic")}
            required
          />
          <TextField
            label="Server"
            hint="Default: ntfy.sh"
            type="url"
            value={channel.url ?? ""}
            onChange={(url) => onChange({ ...channel, url })}
            error={at("url")}
          />
        </>
      );
    case "pagerduty":
    case "opsgenie":
      return (
        <TextField
          label="Endpoint"
          hint={ENDPOINTS[channel.kind]}
          type="url"
          value={channel.url ?? ""}
          onChange={(url) => onChange({ ...channel, url })}
          error={at("url")}
        />
      );
    case "alertmanager":
      return (
        <>
          <TextField
            label="Address"
            hint="Base URL, without /api/v2/alerts"
            type="url"
            placeholder="http://alertmanager:9093"
            value={channel.url}
            onChange={(url) => onChange({ ...channel, url })}
            error={at("url")}
            required
          />
          <DurationField
            label="Resolve after"
            hint="Alertmanager resolves an alert that is not sent again within this time. Choose a longer time than the reminder interval of the routes."
            value={channel.resolve_timeout ?? "1d"}
            presets={["6h", "1d", "7d"]}
            onChange={(resolve_timeout) => onChange({ ...channel, resolve_timeout })}
            error={at("resolve_timeout")}
          />
        </>
      );
    case "slack":
    case "teams":
    case "discord":
      return null;
  }
}

const ENDPOINTS = {
  pagerduty: "Default: the US region. For the EU: https://events.eu.pagerduty.com/v2/enqueue",
  opsgenie: "Default: the US region. For the EU: https://api.eu.opsgenie.com",
} as const;

interface TextFieldProps {
  label: string;
  hint?: string;
  type?: "text" | "url" | "number";
  placeholder?: string;
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
  required?: boolean;
}

function TextField({ label, hint, error, onChange, ...input }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <input
          {...ids}
          {...input}
          onChange={(event) => onChange(event.target.value)}
          className={inputClass}
        />
      )}
    </Field>
  );
}

interface LinesFieldProps {
  label: string;
  hint: string;
  lines: readonly string[];
  onChange: (lines: string[]) => void;
  error: string | undefined;
}

/** A list with one item per line. */
function LinesField({ label, hint, lines, onChange, error }: LinesFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <textarea
          {...ids}
          value={lines.join("\n")}
          onChange={(event) => onChange(event.target.value.split("\n"))}
          className={`${inputClass} h-20 py-1.5`}
          required
        />
      )}
    </Field>
  );
}
