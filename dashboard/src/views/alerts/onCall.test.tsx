import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { Alert } from "@/api/types";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { makeDelivery } from "@/testing/notify";

const { state } = serve();

function firing(id: number, severity: Alert["severity"], scope: string): Alert {
  const at = Date.now() - id * 60_000;
  return {
    id,
    alert_type: "negative_ratio",
    severity,
    scope: `source:${scope}`,
    state: "firing",
    threshold_value: 2,
    actual_value: 3,
    window_start: iso(at - 300_000),
    window_end: iso(at),
    post_count: 18,
    triggered_at: iso(at),
    resolved_at: null,
    details: {},
  };
}

it("active alerts are listed by severity", async () => {
  state.world.alerts.push(
    firing(1, "info", "web"),
    firing(2, "critical", "rss"),
    firing(3, "warning", "news"),
  );
  open("/alerts");
  const active = await screen.findByRole("region", { name: /^Active alerts/ });
  const rows = await within(active).findAllByRole("link", { name: /Negative posts per positive post/ });
  const severities = rows.map((row) => /Critical|Warning|Info/.exec(row.textContent ?? "")?.[0]);
  expect(severities).toEqual(["Critical", "Warning", "Info"]);
});

const stored = {
  ...{ id: 7, version: 1, provisioned: false, created_at: "2026-01-01T00:00:00.000Z", updated_at: "" },
  ...{ send_resolved: true, max_alerts: 20 },
};

it("receiver with a failed last delivery is marked", async () => {
  state.world.notify.receivers = [
    { ...stored, id: 1, name: "on-call", channel: { kind: "slack" }, secrets: ["url"] },
    { ...stored, id: 2, name: "chat", channel: { kind: "slack" }, secrets: ["url"] },
  ];
  state.world.notify.deliveries = [
    makeDelivery(1, { receiver: "chat", state: "failed" }),
    makeDelivery(2, { receiver: "on-call", state: "failed" }),
    makeDelivery(3, { receiver: "chat", state: "delivered" }),
  ];
  open("/alerts/receivers");
  expect(await screen.findByText(/Last delivery failed/)).toBeTruthy();
  const row = screen.getByText(/Last delivery failed/).closest("li");
  expect(row?.textContent).toContain("on-call");
  expect(screen.getAllByText(/1 receiver failed/).length).toBeGreaterThan(0);
});
