import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Receiver, Route } from "@/api/types";
import { open, serve } from "@/testing/app";
import { intervalText } from "./muteWords";
import { inOrder } from "./routeDraft";

const { state } = serve();

function receiver(name: string): Receiver {
  const now = new Date().toISOString();
  return {
    id: 90,
    version: 1,
    provisioned: false,
    created_at: now,
    updated_at: now,
    name,
    channel: { kind: "webhook", url: "https://example.org" },
    secrets: [],
  };
}

describe("route helpers", () => {
  it("routes are sorted in matching order", () => {
    const route = (name: string, position: number, matchers: Route["matchers"]) =>
      ({ name, position, matchers }) as Route;
    const some = [{ label: "a", op: "=", value: "b" }] as const;
    const routes = [
      route("all", -5, []),
      route("b", 1, [...some]),
      route("z", 0, [...some]),
      route("a", 1, [...some]),
    ];
    expect(inOrder(routes).map(({ name }) => name)).toEqual(["z", "a", "b", "all"]);
  });

  it("interval text names days and hours", () => {
    expect(intervalText({ from: "22:00", to: "07:00" })).toBe("Every day, 22:00–07:00 (next day)");
    expect(intervalText({ weekdays: ["saturday", "sunday"] })).toBe("Sat, Sun, all day");
    expect(intervalText({ weekdays: ["monday"], from: "12:00", to: "13:30" })).toBe("Mon, 12:00–13:30");
  });
});

describe("routes", () => {
  it("route is added, tested and removed", async () => {
    state.world.notify.receivers = [receiver("on-call")];
    const { user } = open("/alerts/routes");
    expect(await screen.findByText("No routes")).toBeTruthy();
    expect(await screen.findByText(/Dashboard only/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Add route" }));
    const form = await screen.findByRole("dialog", { name: "Add route" });
    await user.type(await within(form).findByLabelText("Name"), "critical");
    await user.click(within(form).getByRole("button", { name: "Add" }));
    expect(await screen.findByText('severity = "critical"')).toBeTruthy();
    expect(await screen.findByText("▲ on-call")).toBeTruthy();
    await user.clear(screen.getByLabelText("Value of label 2"));
    expect(await screen.findByText(/Dashboard only/)).toBeTruthy();
    await user.click(await screen.findByRole("button", { name: "Remove" }));
    const question = await screen.findByRole("dialog", { name: "Remove critical?" });
    await user.click(within(question).getByRole("button", { name: "Remove" }));
    expect(await screen.findByText("No routes")).toBeTruthy();
  });

  it("provisioned route is read-only and shows a missing receiver", async () => {
    const now = new Date().toISOString();
    state.world.notify.routes = [
      {
        id: 1,
        version: 1,
        provisioned: true,
        created_at: now,
        updated_at: now,
        name: "everything",
        receiver: "missing",
        matchers: [],
      },
    ];
    open("/alerts/routes");
    expect(await screen.findByText(/from the configuration file/)).toBeTruthy();
    expect(await screen.findByText(/This receiver does not exist/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Edit everything" })).toBeNull();
  });
});

describe("mute timings", () => {
  it("mute timing is added with days and hours", async () => {
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Add mute timing" }));
    const form = await screen.findByRole("dialog", { name: "Add mute timing" });
    await user.type(within(form).getByLabelText("Name"), "weekends");
    await user.click(within(form).getByRole("button", { name: "Sun" }));
    await user.click(within(form).getByRole("button", { name: "Sat" }));
    await user.click(within(form).getByRole("button", { name: "Add" }));
    expect(await screen.findByText("Sat, Sun, 22:00–07:00 (next day)")).toBeTruthy();
    await waitFor(() =>
      expect(state.world.notify.muteTimings[0]?.intervals[0]?.weekdays).toEqual(["saturday", "sunday"]),
    );
  });
});
