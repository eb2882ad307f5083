import type { Channel } from "@/api/types";

/** The kinds of channels, in the order in which they are offered. */
export const CHANNEL_KINDS = [
  { value: "webhook", label: "Webhook" },
  { value: "slack", label: "Slack" },
  { value: "email", label: "E-mail" },
  { value: "command", label: "Command" },
] as const satisfies readonly { value: Channel["kind"]; label: string }[];

/** What a kind is called. */
export function kindName(kind: Channel["kind"]): string {
  return CHANNEL_KINDS.find(({ value }) => value === kind)?.label ?? kind;
}

/** Where a channel leads, as far as that is no secret. */
export function destination(channel: Channel): string {
  switch (channel.kind) {
    case "webhook":
      return channel.url;
    case "slack":
      return "an incoming webhook";
    case "email":
      return channel.to.join(", ");
    case "command":
      return channel.command.join(" ");
  }
}

/** A channel of a kind with nothing in it yet. */
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
