import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { MuteTiming, Receiver, Route } from "@/api/types";
import { open, serve } from "@/testing/app";
import { intervalText } from "./muteWords";
import { parentsOf, treeOf } from "./routeDraft";

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
    expect(treeOf(routes).map(({ route: { name } }) => name)).toEqual(["z", "a", "b", "all"]);
  });

  it("children follow their parent and parents form no loop", () => {
    const route = (name: string, parent: string | null) =>
      ({ name, parent, matchers: [{ label: "a", op: "=", value: "b" }] }) as Route;
    const routes = [
      route("leaf", "child"),
      route("child", "root"),
      route("other", null),
      route("root", null),
    ];
    expect(treeOf(routes).map(({ route: { name }, depth }) => [name, depth])).toEqual([
      ["other", 0],
      ["root", 0],
      ["child", 1],
      ["leaf", 2],
    ]);
    expect(parentsOf(routes[1] ?? null, routes)).toEqual(["other", "root"]);
    expect(treeOf([route("orphan", "gone")])).toHaveLength(1);
  });

  it("interval text names days and hours", () => {
    expect(intervalText({ from: "22:00", to: "07:00" })).toBe("Every day, 22:00–07:00 (next day)");
    expect(intervalText({ weekdays: ["saturday", "sunday"] })).toBe("Sat, Sun, all day");
    expect(intervalText({ months: ["december"], days_of_month: ["24:26"], years: ["2026"] })).toBe(
      "Every day in December, on 24–26 of the month, in 2026, all day",
    );
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

  it("saving keeps hidden fields of a route", async () => {
    const stored = { version: 1, provisioned: false, created_at: "2026-01-01T00:00:00.000Z", updated_at: "" };
    const matchers: Route["matchers"] = [{ label: "topic", op: "=", value: "acme" }];
    const child = {
      ...{ name: "child", receiver: "on-call", matchers, parent: "root", active_timings: ["office"] },
      ...{ mute_timings: ["nights"], group_by: ["alertname"], unknown_field: "kept" },
    };
    state.world.notify.receivers = [receiver("on-call")];
    state.world.notify.routes = [
      { ...stored, id: 1, name: "root", receiver: "on-call", matchers },
      { ...stored, id: 2, ...child },
    ];
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Edit child" }));
    const form = await screen.findByRole("dialog", { name: "Edit route" });
    await user.click(within(form).getByRole("checkbox", { name: "Also try the next routes" }));
    await user.click(within(form).getByRole("button", { name: "Save" }));
    await waitFor(() => expect(state.world.notify.routes.find(({ id }) => id === 2)?.continue).toBe(true));
    expect(state.world.notify.routes.find(({ id }) => id === 2)).toMatchObject(child);
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
    expect(await screen.findByText(/from the configuration/)).toBeTruthy();
    expect(await screen.findByText(/This receiver does not exist/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Edit everything" })).toBeNull();
  });
});

describe("form of a route", () => {
  it("form of a route shows why the receivers are missing", async () => {
    const away = { status: 503, json: { title: "Unavailable", detail: "the database is away" } };
    state.intercept = (_, { pathname }) => (pathname === "/api/alerts/receivers" ? away : undefined);
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Add route" }));
    const form = await screen.findByRole("dialog", { name: "Add route" });
    expect((await within(form).findByRole("alert")).textContent).toMatch(/temporarily unavailable/);
    state.world.notify.receivers = [receiver("on-call")];
    state.intercept = () => undefined;
    await user.click(within(form).getByRole("button", { name: "Try again" }));
    expect(await within(form).findByLabelText("Name")).toBeTruthy();
  });
});

describe("mute timings", () => {
  it("saving keeps months and days of the month", async () => {
    const intervals: MuteTiming["intervals"] = [
      { weekdays: ["monday"], from: "00:00", to: "00:00", months: ["december"], days_of_month: ["24:26"] },
    ];
    const stored = { version: 1, provisioned: false, created_at: "2026-01-01T00:00:00.000Z", updated_at: "" };
    state.world.notify.muteTimings = [{ ...stored, id: 1, name: "holidays", zone: "UTC", intervals }];
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Edit holidays" }));
    const form = await screen.findByRole("dialog", { name: "Edit mute timing" });
    expect(within(form).getByLabelText<HTMLInputElement>("Months, hours 1").value).toBe("december");
    await user.type(within(form).getByLabelText("Years, hours 1"), "2026, 2027");
    await user.click(within(form).getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(state.world.notify.muteTimings[0]?.intervals).toEqual([
        { ...intervals[0], years: ["2026", "2027"] },
      ]),
    );
  });

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

describe("inhibition rules", () => {
  it("inhibition rule is added and removed", async () => {
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Add inhibition rule" }));
    const form = await screen.findByRole("dialog", { name: "Add inhibition rule" });
    await user.type(within(form).getByLabelText("Name"), "critical-over-warning");
    await user.click(within(form).getByRole("button", { name: "Add" }));
    const card = await screen.findByRole("region", { name: /^Inhibition rules/ });
    expect(await within(card).findByText("Only with the same topic")).toBeTruthy();
    expect(within(card).getByText('severity = "warning"')).toBeTruthy();
    await user.click(within(card).getByRole("button", { name: "Remove" }));
    const question = await screen.findByRole("dialog", { name: "Remove critical-over-warning?" });
    await user.click(within(question).getByRole("button", { name: "Remove" }));
    expect(await screen.findByText("No inhibition rules")).toBeTruthy();
  });

  it("inhibition form changes its labels with the mode", async () => {
    const { user } = open("/alerts/routes");
    await user.click(await screen.findByRole("button", { name: "Add inhibition rule" }));
    const form = within(await screen.findByRole("dialog", { name: "Add inhibition rule" }));
    expect(form.getByRole("group", { name: "While alerts with these labels fire" })).toBeTruthy();
    await user.selectOptions(
      form.getByLabelText("Which alerts suppress others"),
      "The alert that fires first",
    );
    expect(form.queryByRole("group", { name: "While alerts with these labels fire" })).toBeNull();
    expect(form.getByRole("group", { name: /only the first to fire sends notifications/ })).toBeTruthy();
  });
});
