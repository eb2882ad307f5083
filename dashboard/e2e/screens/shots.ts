/** The views and states to take pictures of. */

export interface Shot {
  name: string;
  path: string;
  posts: number;
  /** The name of the button that opens the form. */
  press?: string;
  /** The values to enter into the form, by label. */
  choose?: Record<string, string>;
  /** The account that opens the page, or "signed out". If unset, the server has no accounts. */
  as?: "ada" | "vera" | "signed out";
}

export const SHOTS: Shot[] = [
  { name: "overview-0", path: "/", posts: 0 },
  { name: "overview-1", path: "/", posts: 1 },
  { name: "overview-50", path: "/", posts: 50 },
  { name: "overview-many", path: "/?range=24h", posts: 20_000 },
  { name: "live", path: "/live", posts: 200 },
  { name: "posts", path: "/posts?range=24h", posts: 5_000 },
  { name: "posts-none", path: "/posts?q=nothinglikethis", posts: 50 },
  { name: "drawer", path: "/posts?range=24h&post=sample-3", posts: 500 },
  { name: "emotions", path: "/emotions?range=24h", posts: 8_000 },
  { name: "topics", path: "/topics?range=24h", posts: 3_000 },
  { name: "compare", path: "/compare?range=24h&against=1d", posts: 4_000 },
  { name: "alerts", path: "/alerts?range=24h", posts: 2_000 },
  { name: "alert", path: "/alerts/3", posts: 50 },
  { name: "rules", path: "/alerts/rules", posts: 0 },
  { name: "rule", path: "/alerts/rules/1", posts: 0 },
  { name: "routes", path: "/alerts/routes", posts: 0 },
  { name: "form-route", path: "/alerts/routes", posts: 0, press: "Edit acme-at-night" },
  { name: "form-inhibit", path: "/alerts/routes", posts: 0, press: "Add inhibition rule" },
  { name: "form-mute", path: "/alerts/routes", posts: 0, press: "Edit nights-and-weekends" },
  { name: "form-silence", path: '/alerts/silences?matchers=alertname%3D"Mood",source%3D"rss"', posts: 0 },
  { name: "form-receiver", path: "/alerts/receivers", posts: 0, press: "Edit chat" },
  {
    ...{ name: "form-telegram", path: "/alerts/receivers", posts: 0, press: "Add receiver" },
    choose: { Channel: "telegram" },
  },
  {
    ...{ name: "form-webhook", path: "/alerts/receivers", posts: 0, press: "Edit on-call" },
  },
  { name: "incident", path: "/?range=24h&topic=headphones", posts: 3_000 },
  { name: "silences", path: "/alerts/silences", posts: 0 },
  { name: "receivers", path: "/alerts/receivers", posts: 0 },
  { name: "system", path: "/system", posts: 50 },
  { name: "try", path: "/try", posts: 0 },
  { name: "sign-in", path: "/sign-in", posts: 0, as: "signed out" },
  { name: "sign-in-reason", path: "/sign-in?error=no_role", posts: 0, as: "signed out" },
  { name: "sign-in-setup", path: "/sign-in#sign-in=code", posts: 0 },
  { name: "sign-in-invited", path: "/#invitation=code&name=Ben%20Okafor", posts: 0, as: "signed out" },
  { name: "people", path: "/settings/people", posts: 0, as: "ada" },
  { name: "people-first", path: "/settings/people", posts: 0 },
  { name: "form-invite", path: "/settings/people", posts: 0, as: "ada", press: "Invite" },
  { name: "form-person", path: "/settings/people", posts: 0, as: "ada", press: "Edit vera" },
  { name: "tokens", path: "/settings/tokens", posts: 0, as: "ada" },
  { name: "form-token", path: "/settings/tokens", posts: 0, as: "ada", press: "Create token" },
  { name: "audit", path: "/settings/audit", posts: 0, as: "ada" },
  { name: "account", path: "/account", posts: 0, as: "vera" },
  { name: "menu-account", path: "/", posts: 50, as: "vera", press: "Account of vera" },
  { name: "viewer-rules", path: "/alerts/rules", posts: 0, as: "vera" },
  { name: "viewer-audit", path: "/settings/audit", posts: 0, as: "vera" },
  { name: "configuration", path: "/settings/configuration", posts: 0 },
  { name: "form-setting", path: "/settings/configuration", posts: 0, press: "Edit retention.posts" },
  { name: "maintenance", path: "/settings/maintenance", posts: 0 },
  {
    name: "hard",
    path: "/?source=a-source-whose-name-is-as-long-as-a-name-may-be-64-characters-xx",
    posts: 400,
  },
];
