import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeChange, makeEvent } from "@/testing/accounts";
import { open, serve } from "@/testing/app";
import { changeWords, fieldChanges } from "./changeWords";

const { state } = serve();

it("events are described and filtered by actor and outcome", async () => {
  state.world.accounts.events.push(
    makeEvent(1),
    makeEvent(2, {
      actor: "ben",
      outcome: "denied",
      action: "PUT /api/topics/{name}",
      target: "/api/topics/x",
    }),
    makeEvent(3, { outcome: "unknown", status: 0 }),
  );
  const { user } = open("/settings/audit");
  expect(await screen.findByText(/^Denied: Changed topic/)).toBeTruthy();
  const rows = () => screen.getAllByRole("listitem").map(({ textContent }) => textContent);
  expect(rows()).toEqual([
    expect.stringMatching(/^Deleted post post-1.*ada/),
    expect.stringMatching(/^Denied: Changed topic x.*ben/),
    expect.stringMatching(/^Deleted post post-3.*may be stored/),
  ]);
  await user.selectOptions(screen.getByLabelText("Outcome"), "Denied");
  await waitFor(() => expect(rows()).toEqual([expect.stringMatching(/ben/)]));
  await user.selectOptions(screen.getByLabelText("Outcome"), "All outcomes");
  await user.type(screen.getByLabelText("Actor"), "nobody");
  expect(await screen.findByText("No matching events")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Clear filters" }));
  await waitFor(() => expect(rows()).toHaveLength(3));
});

it("older events are loaded page by page", async () => {
  for (let id = 1; id <= 60; id++) state.world.accounts.events.push(makeEvent(id));
  const { user } = open("/settings/audit");
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(50));
  await user.click(screen.getByRole("button", { name: "Show older events" }));
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(60));
  expect(screen.queryByRole("button", { name: "Show older events" })).toBeNull();
});

it("changes show the values before and after, page by page", async () => {
  for (let id = 1; id <= 60; id++) state.world.accounts.changes.push(makeChange(id));
  state.world.accounts.changes.unshift(
    makeChange(99, { action: "reset", object_kind: "setting", object_id: "a", name: "retention.posts" }),
  );
  const { user, url } = open("/settings/audit");
  await user.click(await screen.findByRole("button", { name: "Changed values" }));
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(50));
  expect(url()).toBe("/settings/audit#changes");
  const [reset, changed] = screen.getAllByRole("listitem");
  expect(reset?.textContent).toMatch(/^Reset setting retention\.posts.*ada/);
  if (!changed) throw new Error("no row");
  await user.click(within(changed).getByText(/^Changed alert rule/));
  expect(within(changed).getByRole("row", { name: "threshold 0.5 0.6" })).toBeTruthy();
  expect(within(changed).queryByText("name")).toBeNull();
  expect(within(changed).getByRole("link", { name: "Open rule" }).getAttribute("href")).toBe(
    "/alerts/rules/4",
  );
  await user.click(screen.getByRole("button", { name: "Show older changes" }));
  await waitFor(() => expect(screen.getAllByRole("listitem")).toHaveLength(61));
});

it("added and deleted objects have values on one side only", () => {
  const fields = { name: "On call", channel: { kind: "email", to: ["a@b.c"] }, note: null };
  expect(fieldChanges(makeChange(1, { before: null, after: fields }))).toEqual([
    { field: "name", before: null, after: "On call" },
    { field: "channel", before: null, after: '{"kind":"email","to":["a@b.c"]}' },
  ]);
  expect(fieldChanges(makeChange(1, { before: fields, after: null }))).toHaveLength(2);
  expect(changeWords(makeChange(1, { action: "acknowledge", object_kind: "alert" }))).toBe(
    "Acknowledged alert",
  );
});
