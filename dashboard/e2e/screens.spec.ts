import { type Browser, expect, test } from "@playwright/test";
import { type PreviewServer, preview } from "vite";
import { makeEvent } from "../src/testing/accounts";
import { iso } from "../src/testing/answer";
import { makeLetter } from "../src/testing/answers";
import { refundInsight } from "../src/testing/insights";
import { makeDelivery } from "../src/testing/notify";
import { samplePosts } from "../src/testing/sample";
import { makeFeed, World } from "../src/testing/world";
import { Fake } from "./fake";
import { expectAccessible } from "./journeys/axe";

/** Screenshots of every view in test-results/screens: `npm run screens`. */

const SIZES = {
  wide: [1440, 900],
  tablet: [1024, 768],
  phone: [390, 844],
  large: [1920, 1080],
  huge: [2560, 1440],
} as const;
const DAY = 86_400_000;

const only = process.env.SCREENS?.split(",");

let server: PreviewServer;
let base: string;

test.beforeAll(async () => {
  server = await preview({ preview: { port: 0, host: "127.0.0.1" }, logLevel: "error" });
  base = server.resolvedUrls?.local[0] ?? "";
});
test.afterAll(() => server.close());

interface Shot {
  name: string;
  path: string;
  posts: number;
  /** The name of the button that opens the form. */
  press?: string;
  /** The values to enter into the form, by label. */
  choose?: Record<string, string>;
  /** Who uses the page. Without it the server has no accounts. */
  as?: "ada" | "vera" | "nobody";
}

const SHOTS: Shot[] = [
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
  { name: "sign-in", path: "/sign-in", posts: 0, as: "nobody" },
  { name: "sign-in-reason", path: "/sign-in?error=no_role", posts: 0, as: "nobody" },
  { name: "sign-in-setup", path: "/sign-in#sign-in=code", posts: 0 },
  { name: "sign-in-invited", path: "/#invitation=code&name=Ben%20Okafor", posts: 0, as: "nobody" },
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

for (const shot of SHOTS) {
  for (const [size, [width, height]] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      const name = `${shot.name}-${size}-${colorScheme}`;
      if (only && !only.some((part) => name.includes(part))) continue;
      test(name, async ({ browser }) => {
        await take(browser, shot, { width, height, colorScheme, name });
      });
    }
  }
}

const HARD = ["a-source-whose-name-is-as-long-as-a-name-may-be-64-characters-xx"].concat([
  "bluesky",
  "mastodon",
  "reddit",
  "rss",
  "hackernews",
  "lemmy",
  "support",
  "app-store",
]);

function furnish(world: World) {
  const now = Date.now();
  world.components.push({ name: "source:synthetic", healthy: true, state: "connected" });
  world.components.push({
    name: "source:bluesky",
    healthy: false,
    state: "retrying",
    detail: "connection refused; next try in 12 s",
  });
  world.feeds = [
    makeFeed("synthetic", { lag_seconds: 0.04, rate: 5 }),
    makeFeed("bluesky", {
      state: "backing_off",
      errors: 3,
      rate: 0,
      last_error: "connection refused; next try in 12 s",
      last_post: iso(now - 900_000),
    }),
    makeFeed("news", { kind: "rss", state: "paused", paused: true, rate: 0, rejected: 4 }),
  ];
  world.topics.add("headphones", "headphones");
  world.topics.add("commute", "train", { description: "Trains that are late, full or cancelled" });
  world.topics.add("weather", "storm", { backfill: { running: true, progress: 42.3 } });
  world.topics.add("a-topic-whose-name-is-as-long-as-a-name-may-be-64-characters-xxx", "waiter", {
    origin: "config",
  });
  world.notify.silences = [
    {
      id: 1,
      version: 1,
      provisioned: false,
      created_at: iso(now),
      updated_at: iso(now),
      state: "active",
      matchers: [
        { label: "alertname", op: "=", value: "negative_share" },
        { label: "source", op: "=~", value: "bluesky|mastodon" },
      ],
      starts_at: iso(now - 1_800_000),
      ends_at: iso(now + 9_000_000),
      author: "Ada",
      comment: "The shop moves to new servers; complaints are to be expected.",
    },
  ];
  world.notify.receivers = [
    {
      id: 1,
      version: 2,
      provisioned: false,
      created_at: iso(now),
      updated_at: iso(now),
      name: "on-call",
      channel: { kind: "webhook", url: "https://hooks.example.org/alerts" },
      send_resolved: true,
      max_alerts: 100,
      secrets: ["signing_key"],
    },
    {
      id: 2,
      version: 1,
      provisioned: true,
      created_at: iso(now),
      updated_at: iso(now),
      name: "press-team",
      channel: { kind: "email", to: ["press@example.org", "duty@example.org"] },
      send_resolved: false,
      max_alerts: 100,
      secrets: [],
    },
  ];
  world.notify.receivers.push({
    ...{ id: 3, version: 1, provisioned: false, created_at: iso(now), updated_at: iso(now) },
    ...{ name: "chat", channel: { kind: "slack" }, send_resolved: true, max_alerts: 20, secrets: ["url"] },
    templates: { title: "{{ status | upper }}: {{ commonLabels.alertname }}", text: null },
  });
  world.notify.deliveries = [
    makeDelivery(1),
    makeDelivery(2, { receiver: "press-team", state: "failed", attempts: 8, error: "connection refused" }),
    makeDelivery(3, { state: "pending", attempts: 0 }),
  ];
  world.deadLetters = [
    makeLetter("1", "content: must not be blank", "   "),
    makeLetter(
      "2",
      "source: must be 1 to 64 characters of a-z, 0-9, _, . and -",
      "A perfectly fine text from a source with a bad name",
    ),
  ];
  const ago = (minutes: number) => iso(now - minutes * 60_000);
  furnishRoutes(world, now);
  const rule = world.rules.add({ name: "negative_share", provisioned: true });
  world.rules.add({ name: "Anger about trains", kind: "spike", threshold: 4, severity: "critical" });
  const base = {
    rule_id: rule.id,
    alert_type: "negative_share",
    labels: { alertname: "negative_share", kind: "share" },
    threshold_value: 0.5,
    post_count: 48,
    details: detailsAt(now),
  };
  world.alerts.push(
    {
      ...base,
      id: 3,
      scope: "all",
      state: "firing",
      actual_value: 0.646,
      window_start: ago(9),
      window_end: ago(4),
      triggered_at: ago(4),
      resolved_at: null,
    },
    {
      ...base,
      id: 2,
      alert_type: "negative_ratio",
      scope: "source:bluesky",
      state: "resolved",
      threshold_value: 2,
      actual_value: 3.4,
      window_start: ago(425),
      window_end: ago(420),
      triggered_at: ago(420),
      resolved_at: ago(380),
    },
    {
      ...base,
      id: 1,
      scope: "all",
      state: "resolved",
      actual_value: 0.61,
      window_start: ago(525),
      window_end: ago(520),
      triggered_at: ago(520),
      resolved_at: ago(400),
    },
  );
}

/** People, their devices, tokens and an audit log. */
function furnishAccounts({ accounts }: World, as: NonNullable<Shot["as"]>) {
  const now = Date.now();
  const ada = accounts.add("ada", "admin", { last_sign_in_at: iso(now - 7_200_000) });
  const vera = accounts.add("vera", "viewer", { last_sign_in_at: iso(now - 86_400_000) });
  accounts.add("Ben Okafor", "analyst", {
    has_password: false,
    invited_until: iso(now + 2.5 * DAY),
  });
  accounts.add("a-person-whose-name-is-as-long-as-a-name-may-be-and-has-no-blanks-in-it-at-all", "editor", {
    provider: "https://login.example.org/realms/company",
    last_sign_in_at: iso(now - 40 * DAY),
  });
  accounts.add("נועה", "editor", { disabled: true });
  accounts.addDevice(ada, {
    user_agent: PHONE,
    address: "2001:db8:85a3::8a2e:370:7334",
    last_seen_at: iso(now),
  });
  accounts.addDevice(vera, { user_agent: PHONE });
  accounts.addDevice(vera);
  accounts.oidc = [{ name: "Example Company", url: "/api/session/oidc/start" }];
  accounts.tokens.push(
    {
      ...{ id: 1, name: "grafana", scopes: ["read"], created_at: iso(now - 30 * DAY), created_by: "ada" },
      ...{ expires_at: iso(now + 60 * DAY), last_used_at: iso(now - 4_000), owner: { id: 1, name: "ada" } },
    },
    {
      ...{ id: 2, name: "crm-import", scopes: ["read", "write"], created_at: iso(now - DAY) },
      ...{ created_by: "first start", expires_at: null, last_used_at: null, owner: null },
    },
    {
      ...{ id: 3, name: "notebook", scopes: ["read"], created_at: iso(now - DAY), created_by: "vera" },
      ...{ expires_at: iso(now - 60_000), last_used_at: null, owner: { id: 2, name: "vera" } },
    },
  );
  accounts.events.push(
    makeEvent(1),
    makeEvent(2, {
      actor: "unknown",
      outcome: "denied",
      action: "GET /api/users",
      target: "/api/users",
      status: 401,
    }),
    makeEvent(3, { action: "POST /api/session", target: "/api/session", status: 200 }),
    makeEvent(4, {
      action: "PUT /api/sources/{name}",
      target: "/api/sources/blog%2Fof%20a%20customer",
      status: 200,
    }),
    makeEvent(5, { outcome: "unknown", status: 0, action: "POST /api/topics", target: "/api/topics" }),
  );
  if (as === "ada") accounts.enter(ada);
  if (as === "vera") accounts.enter(vera);
}

const PHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";

function furnishRoutes(world: World, now: number) {
  const stored = { id: 1, version: 1, provisioned: false, created_at: iso(now), updated_at: iso(now) };
  const pace = { group_wait: "30s", group_interval: "5min", repeat_interval: "4h" };
  world.notify.routes = [
    {
      ...stored,
      ...pace,
      name: "critical-to-on-call",
      receiver: "on-call",
      matchers: [{ label: "severity", op: "=", value: "critical" }],
      continue: true,
      group_by: ["alertname"],
    },
    {
      ...stored,
      ...pace,
      id: 2,
      name: "everything-else",
      provisioned: true,
      receiver: "a-receiver-that-does-not-exist",
      matchers: [],
      group_by: ["alertname", "source"],
      mute_timings: ["nights-and-weekends"],
    },
    {
      ...stored,
      ...pace,
      id: 3,
      name: "acme-at-night",
      parent: "critical-to-on-call",
      receiver: "press-team",
      matchers: [{ label: "topic", op: "=", value: "acme" }],
      group_by: ["alertname"],
      active_timings: ["nights-and-weekends"],
    },
    {
      ...stored,
      ...pace,
      id: 4,
      name: "acme-phones",
      parent: "acme-at-night",
      receiver: "chat",
      matchers: [{ label: "source", op: "=~", value: "bluesky|mastodon" }],
      group_by: [],
    },
  ];
  world.notify.inhibitRules = [
    {
      ...stored,
      name: "total-over-sources",
      source_matchers: [{ label: "source", op: "=", value: "" }],
      target_matchers: [{ label: "source", op: "!=", value: "" }],
      equal: ["alertname"],
    },
  ];
  world.notify.muteTimings = [
    {
      ...stored,
      name: "nights-and-weekends",
      zone: "Europe/Berlin",
      intervals: [
        { from: "22:00", to: "07:00" },
        { weekdays: ["saturday", "sunday"] },
        { months: ["december"], days_of_month: ["24:26"] },
      ],
    },
  ];
}

/** The evidence of an alert, with words and names that are hard to lay out. */
function detailsAt(now: number) {
  return {
    counts: { negative: 31, positive: 6, neutral: 11, total: 48 },
    top_emotions: [{ emotion: "anger", count: 22, percentage: 45.8 }],
    top_terms: [
      { term: "checkout", score: 6.2, count: 17, baseline_count: 3 },
      { term: "رائع", score: 3.1, count: 5, baseline_count: 1 },
      { term: "supercalifragilisticexpialidocious".repeat(3), score: 2.2, count: 3, baseline_count: 0 },
    ],
    top_sources: [
      { source: "bluesky", count: 20 },
      { source: HARD[0], count: 11 },
    ],
    top_authors: [{ author: "ada", count: 4 }],
    evidence: samplePosts(12, now - 300_000, 300_000).map((post, index) => ({
      post_id: post.post_id,
      content: post.content,
      source: post.source,
      author: post.author,
      created_at: post.created_at,
      sentiment: "negative",
      emotion: "anger",
      confidence: 0.97 - index / 50,
      duplicates: index % 3,
    })),
  };
}

/** An insight about one topic, with a word and a name that are hard to lay out. */
function incidentOf(params: URLSearchParams) {
  const insight = refundInsight();
  if ((params.get("topic") ?? "headphones") !== "headphones") return {};
  const [word] = insight.words ?? [];
  return {
    ...insight,
    words: word && [
      word,
      { ...word, term: "#acmefail", rate: 40.2, previous_rate: 0 },
      { ...word, term: "customer service", rate: 21.7, previous_rate: 2.1 },
      { ...word, term: "退款", rate: 8, previous_rate: 0.4 },
      { ...word, term: "supercalifragilisticexpialidocious".repeat(2), rate: 3, previous_rate: 0 },
    ],
    sources: insight.sources?.concat({
      ...{ source: HARD[0] ?? "", posts: 20, previous_posts: 31, contribution: -2.4, post_ids: [] },
    }),
  };
}

interface Frame {
  width: number;
  height: number;
  colorScheme: "light" | "dark";
  name: string;
}

async function take(browser: Browser, shot: Shot, { width, height, colorScheme, name }: Frame) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-GB" });
  const page = await context.newPage();
  const breaches: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") breaches.push(message.text());
  });
  page.on("pageerror", (error) => breaches.push(String(error)));
  const world = new World();
  const span = shot.name === "compare" ? 2 * DAY : shot.path.includes("24h") ? DAY : 50 * 60_000;
  world.add(
    ...samplePosts(
      shot.posts,
      Date.now(),
      shot.posts === 1 ? 60_000 : span,
      shot.name === "hard" ? HARD : undefined,
    ),
  );
  furnish(world);
  if (shot.as) furnishAccounts(world, shot.as);
  if (["incident", "compare", "topics"].includes(shot.name)) world.insight = incidentOf;
  await new Fake(world).attach(page);
  await page.goto(new URL(shot.path, base).href);
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(400);
  if (["posts", "live"].includes(shot.name)) await expect(page.getByRole("article").first()).toBeVisible();
  if (shot.press) {
    await page.getByRole("button", { name: shot.press }).first().click();
    for (const [label, value] of Object.entries(shot.choose ?? {}))
      await page.getByLabel(label).selectOption(value);
    await page.waitForTimeout(600);
  }
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await page.screenshot({ path: `test-results/screens/${name}.png` });
  if (!["posts", "live", "drawer"].includes(shot.name)) {
    await page.screenshot({ path: `test-results/screens/${name}-full.png`, fullPage: true });
  }
  // The focus guards of open menus are hidden from screen readers on purpose, which axe reports.
  if (!shot.name.startsWith("menu-")) await expectAccessible(page);
  await context.close();
  expect(sideways, "the page scrolls sideways").toBe(false);
  expect(breaches).toEqual([]);
}
