import type { Channel } from "@/api/types";

/** The kinds of channels in display order. */
export const CHANNEL_KINDS = [
  { value: "slack", label: "Slack" },
  { value: "teams", label: "Microsoft Teams" },
  { value: "email", label: "E-mail" },
  { value: "discord", label: "Discord" },
  { value: "telegram", label: "Telegram" },
  { value: "ntfy", label: "ntfy" },
  { value: "pagerduty", label: "PagerDuty" },
  { value: "opsgenie", label: "Opsgenie" },
  { value: "webhook", label: "Webhook" },
  { value: "alertmanager", label: "Alertmanager" },
  { value: "command", label: "Command" },
] as const satisfies readonly { value: Channel["kind"]; label: string }[];

/** The display name of a kind of channel. */
export function kindName(kind: Channel["kind"]): string {
  return CHANNEL_KINDS.find(({ value }) => value === kind)?.label ?? kind;
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

/** A new channel of a kind, with empty required settings. */
export function emptyChannel(kind: Channel["kind"]): Channel {
  switch (kind) {
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
    case "webhook":
    case "alertmanager":
      return { kind, url: "" };
    case "email":
      return { kind, to: [] };
    case "command":
      return { kind, command: [] };
  }
}

/** Whether a kind of channel accepts templates for its texts. The texts of other kinds have a fixed format. */
export function hasText(kind: Channel["kind"]): boolean {
  return kind !== "webhook" && kind !== "command" && kind !== "alertmanager";
}

/** The channel to save. Empty lines and empty optional settings are left out, so that defaults apply. */
export function savedChannel(channel: Channel): Channel {
  const filled = (lines: readonly string[]) => lines.filter((line) => line.trim() !== "");
  if (channel.kind === "email") return { ...channel, to: filled(channel.to) };
  if (channel.kind === "command") return { ...channel, command: filled(channel.command) };
  return withoutEmpty(channel);
}

function withoutEmpty<T extends Channel>(channel: T): T {
  const given = Object.entries(channel).filter(([name, value]) => value !== "" || isRequired(channel, name));
  return Object.fromEntries(given) as T;
}

function isRequired({ kind }: Channel, name: string): boolean {
  if (name === "url") return kind === "webhook" || kind === "alertmanager";
  return name === "chat_id" || name === "topic";
}

/** The input for a secret of a channel. */
export interface SecretField {
  name: string;
  label: string;
  hint: string;
  required: boolean;
}

/** The secrets that a kind of channel takes, without secret headers. */
export function secretsOf(kind: Channel["kind"]): readonly SecretField[] {
  const one = (name: string, label: string, hint: string, required = true) => [
    { name, label, hint, required },
  ];
  switch (kind) {
    case "slack":
      return one("url", "Incoming webhook URL", "From Slack, Mattermost or Rocket.Chat");
    case "teams":
      return one("url", "Workflow URL", "From the workflow “When a Teams webhook request is received”");
    case "discord":
      return one("url", "Webhook URL", "Channel settings, Integrations, Webhooks");
    case "telegram":
      return one("bot_token", "Bot token", "From @BotFather");
    case "pagerduty":
      return one("routing_key", "Integration key", "From an Events API v2 integration in PagerDuty");
    case "opsgenie":
      return one("api_key", "API key", "From an API integration in Opsgenie");
    case "ntfy":
      return one("token", "Access token", "Optional. For protected topics.", false);
    case "webhook":
      return one("signing_key", "Signing key", "Optional. Signs each message with HMAC-SHA256.", false);
    case "alertmanager":
    case "email":
    case "command":
      return [];
  }
}

/** Whether a kind takes headers with hidden values. */
export function takesHeaders(kind: Channel["kind"]): boolean {
  return kind === "webhook" || kind === "alertmanager";
}

/** The new value of each changed secret by name. `null` removes the secret. Other secrets keep their value. */
export type SecretChanges = Readonly<Record<string, string | null>>;

/** The changes to send. Secrets of a previous kind are removed. */
export function changesOf(changes: SecretChanges, kind: Channel["kind"], before: Stored | null) {
  const isUsed = (name: string) =>
    secretsOf(kind).some((field) => field.name === name) ||
    (takesHeaders(kind) && name.startsWith("header."));
  const former = before && before.channel.kind !== kind ? before.secrets : [];
  const removed = Object.fromEntries(former.map((name) => [name, null]));
  const given = Object.entries(changes).filter(([name, value]) => isUsed(name) && value !== "");
  return { ...removed, ...Object.fromEntries(given) };
}

interface Stored {
  channel: Channel;
  secrets: readonly string[];
}
