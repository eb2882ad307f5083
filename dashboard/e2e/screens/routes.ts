import { iso } from "../../src/testing/answer";
import type { World } from "../../src/testing/world";

/** Routes, inhibition rules and mute timings of notifications. */
export function furnishRoutes(world: World, now: number) {
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
