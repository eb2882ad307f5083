import { screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { makeEvent } from "@/testing/accounts";
import { open, serve } from "@/testing/app";

const { state } = serve();

it("events say what happened and are filtered by actor and outcome", async () => {
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
