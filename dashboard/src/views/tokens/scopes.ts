import type { Scope } from "@/api/types";

/** The scopes of a token, with what they allow. */
export const SCOPES: readonly { scope: Scope; name: string; about: string }[] = [
  { scope: "read", name: "Read", about: "all data, analysis and live events" },
  { scope: "write", name: "Send posts", about: "and nothing else" },
  { scope: "respond", name: "Respond", about: "acknowledge alerts and set silences" },
  { scope: "edit", name: "Edit", about: "topics, sources, rules and receivers" },
  { scope: "admin", name: "Administer", about: "people, tokens, settings and deletion of posts" },
];

/** "Read, send posts". Unknown scopes keep their name. */
export function scopeWords(scopes: readonly string[]): string {
  const names = scopes.map((scope) => SCOPES.find((known) => known.scope === scope)?.name ?? scope);
  return names.map((name, index) => (index === 0 ? name : name.toLowerCase())).join(", ");
}
