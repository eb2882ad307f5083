import type { Role, Scope } from "@/api/types";

/** The roles, from the least to the most rights. */
export const ROLES: readonly { role: Role; name: string; about: string; can: string }[] = [
  {
    role: "viewer",
    name: "Viewer",
    about: "sees everything except the settings, changes nothing",
    can: "see all posts, charts, alerts and sources",
  },
  {
    role: "analyst",
    name: "Analyst",
    about: "also acknowledges alerts and sets silences",
    can: "acknowledge alerts and set silences",
  },
  {
    role: "editor",
    name: "Editor",
    about: "also changes topics, sources, rules and receivers",
    can: "change topics, sources, rules and receivers, and send posts",
  },
  {
    role: "admin",
    name: "Administrator",
    about: "also manages people, tokens and settings, and deletes posts",
    can: "manage people, tokens and settings, and delete posts",
  },
];

export function roleName(role: Role): string {
  return ROLES.find((known) => known.role === role)?.name ?? role;
}

/** Who may use a scope, as part of a sentence. */
export const WHO_MAY: Readonly<Record<Scope, string>> = {
  read: "people with an account",
  write: "editors and administrators",
  respond: "analysts, editors and administrators",
  edit: "editors and administrators",
  admin: "administrators",
};

export function isScope(text: string): text is Scope {
  return text in WHO_MAY;
}
