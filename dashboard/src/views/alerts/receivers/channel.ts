import type { Channel } from "@/api/types";

/** The kinds of channels in display order. */
export const CHANNEL_KINDS = [
  { value: "webhook", label: "Webhook" },
  { value: "slack", label: "Slack" },
  { value: "email", label: "E-mail" },
  { value: "command", label: "Command" },
] as const satisfies readonly { value: Channel["kind"]; label: string }[];

/** The name of a kind. */
export function kindName(kind: Channel["kind"]): string {
  return CHANNEL_KINDS.find(({ value }) => value === kind)?.label ?? kind;
}

/** The destination of a channel, without secrets. */
export function destination(channel: Channel): string {
  switch (channel.kind) {
    case "webhook":
      return channel.url;
    case "slack":
      return "Incoming webhook";
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
      return { kind };
    case "email":
      return { kind, to: [] };
    case "command":
      return { kind, command: [] };
  }
}
