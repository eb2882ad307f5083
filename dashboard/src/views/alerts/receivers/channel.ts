import type { Channel } from "@/api/types";

/** The kinds of channels in display order. */
export const CHANNEL_KINDS = [
  { value: "webhook", label: "Webhook" },
  { value: "slack", label: "Slack" },
  { value: "email", label: "E-mail" },
  { value: "command", label: "Command" },
] as const satisfies readonly { value: Channel["kind"]; label: string }[];

/** The kinds that the API manages and the form does not offer. */
const OTHER_KINDS: Partial<Record<Channel["kind"], string>> = {
  teams: "Microsoft Teams",
  discord: "Discord",
  telegram: "Telegram",
  ntfy: "ntfy",
  pagerduty: "PagerDuty",
  opsgenie: "Opsgenie",
  alertmanager: "Alertmanager",
};

/** The name of a kind. */
export function kindName(kind: Channel["kind"]): string {
  return CHANNEL_KINDS.find(({ value }) => value === kind)?.label ?? OTHER_KINDS[kind] ?? kind;
}

/** The destination of a channel, without secrets. */
export function destination(channel: Channel): string {
  switch (channel.kind) {
    case "webhook":
      return channel.url;
    case "slack":
    case "teams":
    case "discord":
      return "Incoming webhook";
    case "telegram":
      return channel.chat_id;
    case "ntfy":
      return channel.topic;
    case "pagerduty":
    case "opsgenie":
    case "alertmanager":
      return channel.url ?? kindName(channel.kind);
    case "email":
      return channel.to.join(", ");
    case "command":
      return channel.command.join(" ");
  }
}

/** An empty channel of a kind. */
export function emptyChannel(kind: Channel["kind"]): Channel {
  switch (kind) {
    case "webhook":
      return { kind, url: "" };
    case "slack":
    case "teams":
    case "discord":
    case "pagerduty":
    case "opsgenie":
      return { kind };
    case "telegram":
      return { kind, chat_id: "" };
    case "ntfy":
      return { kind, topic: "" };
    case "alertmanager":
      return { kind, url: "" };
    case "email":
      return { kind, to: [] };
    case "command":
      return { kind, command: [] };
  }
}
