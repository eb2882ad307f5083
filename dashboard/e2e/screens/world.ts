import { iso } from "../../src/testing/answer";
import { makeLetter } from "../../src/testing/answers";
import { makeDelivery } from "../../src/testing/notify";
import { makeFeed, type World } from "../../src/testing/world";
import { detailsAt } from "./alerts";
import { furnishRoutes } from "./routes";

/** Sources, topics, rules, alerts and dead letters, some of them hard to lay out. */
export function furnish(world: World) {
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
