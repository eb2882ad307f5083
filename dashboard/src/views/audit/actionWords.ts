/** Texts for the events of the audit log. */

const OBJECTS: readonly (readonly [prefix: string, one: string])[] = [
  ["/api/posts", "post"],
  ["/api/sources", "source"],
  ["/api/topics", "topic"],
  ["/api/alerts/rules", "alert rule"],
  ["/api/alerts/silences", "silence"],
  ["/api/v2/silences", "silence"],
  ["/api/v2/silence", "silence"],
  ["/api/alerts/receivers", "receiver"],
  ["/api/alerts/routes", "route"],
  ["/api/alerts/mute-timings", "mute timing"],
  ["/api/alerts/inhibit-rules", "inhibition rule"],
  ["/api/alerts/deliveries", "delivery"],
  ["/api/alerts", "alert"],
  ["/api/tokens", "API token"],
  ["/api/users", "user"],
  ["/api/sessions", "session"],
  ["/api/invitations", "invitation"],
  ["/api/settings", "setting"],
  ["/api/backups", "backup"],
  ["/api/demo", "demo data"],
  ["/api/dead-letters", "dead letter"],
];

/** The texts of actions that are not about an object. */
const EXACT: Readonly<Record<string, string>> = {
  "POST /api/session": "Signed in",
  "POST /api/sign-in": "Signed in with a link",
  "GET /api/session/oidc/callback": "Signed in with a provider",
  "DELETE /api/session": "Signed out",
  "PUT /api/session/password": "Changed their own password",
  "DELETE /api/sessions": "Signed out all their other devices",
  "POST /api/setup": "Created the first account",
  "POST /api/invitation": "Accepted an invitation",
  "POST /api/users/{id}/invitation": "Created an invitation link for user",
};

/** The words for the verbs at the end of routes. */
const VERBS: Readonly<Record<string, string>> = {
  pause: "Paused",
  resume: "Resumed",
  test: "Tested",
  backfill: "Started a backfill of",
  acknowledge: "Acknowledged",
  replay: "Replayed",
  purge: "Purged",
  resend: "Sent again",
};

const METHODS: Readonly<Record<string, string>> = {
  POST: "Added",
  PUT: "Changed",
  PATCH: "Changed",
  DELETE: "Deleted",
  GET: "Read",
};

/** "DELETE /api/posts/{post_id}" → "Deleted post". Unknown routes are returned as they are. */
export function actionWords(action: string): string {
  const [method = "", route = ""] = action.split(" ");
  const known = EXACT[action];
  if (known) return known;
  const object = OBJECTS.find(([prefix]) => route === prefix || route.startsWith(`${prefix}/`));
  const verb = VERBS[route.split("/").at(-1) ?? ""] ?? METHODS[method];
  if (!object || !verb) return action;
  const isList = method === "GET" && !route.includes("{");
  return `${verb} ${object[1]}${isList ? "s" : ""}`;
}

/** The id or the name of the object in a path: "/api/posts/a%2Fb" → "a/b". `undefined` for a collection. */
export function targetName(action: string, target: string): string | undefined {
  const segments = action.split(" ")[1]?.split("/") ?? [];
  const at = segments.findIndex((segment) => segment.startsWith("{"));
  const found = at === -1 ? undefined : target.split("/")[at];
  if (!found) return undefined;
  try {
    return decodeURIComponent(found);
  } catch {
    return found;
  }
}
