import { screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";

const { state } = serve();

it("token is created, shown once and revoked", async () => {
  const { user } = open("/settings/tokens");
  await user.click(await screen.findByRole("button", { name: "Create token" }));
  const dialog = await screen.findByRole("dialog", { name: "Create token" });
  await user.type(within(dialog).getByLabelText("Name"), "grafana");
  await user.click(within(dialog).getByRole("checkbox", { name: /^Send posts/ }));
  await user.selectOptions(within(dialog).getByLabelText("Expires after"), "One year");
  await user.click(within(dialog).getByRole("button", { name: "Create token" }));
  expect(await within(dialog).findByText("sst_0123456789")).toBeTruthy();
  await user.click(within(dialog).getByRole("button", { name: "Done" }));
  expect(state.world.accounts.tokens[0]).toMatchObject({ name: "grafana", scopes: ["read", "write"] });
  const row = await screen.findByRole("listitem");
  expect(row.textContent).toMatch(/grafana.*Read, send posts.*never used.*expires in 365 d/);
  expect(screen.queryByText("sst_0123456789")).toBeNull();
  await user.click(within(row).getByRole("button", { name: "Revoke" }));
  const question = await screen.findByRole("dialog", { name: "Revoke grafana?" });
  await user.click(within(question).getByRole("button", { name: "Revoke" }));
  await waitFor(() => expect(state.world.accounts.tokens).toHaveLength(0));
  expect(await screen.findByText("No API tokens")).toBeTruthy();
});

it("viewer can only grant what the role allows", async () => {
  const { accounts } = state.world;
  accounts.enter(accounts.add("vera", "viewer"));
  accounts.tokens.push({
    id: 9,
    name: "of another person",
    scopes: ["admin"],
    created_at: iso(Date.now()),
    created_by: "ada",
    owner: { id: 99, name: "ada" },
  });
  const { user } = open("/account");
  await user.click(await screen.findByRole("button", { name: "Create token" }));
  const dialog = await screen.findByRole("dialog", { name: "Create token" });
  expect(within(dialog).getAllByRole("checkbox")).toHaveLength(1);
  expect(screen.queryByText("of another person")).toBeNull();
});
