import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";

const { state } = serve();

/** The row of a setting. */
async function row(key: string): Promise<HTMLElement> {
  const name = key.slice(key.lastIndexOf(".") + 1);
  const found = (await screen.findAllByRole("listitem")).find((item) => item.id === key);
  if (!found) throw new Error(`no row of ${name}`);
  return found;
}

describe("configuration", () => {
  it("setting from a file shows its origin and no form", async () => {
    open("/settings/configuration");
    const pinned = await row("cache.ttl");
    expect(pinned.textContent).toContain("Set in sentistream.toml:2");
    expect(within(pinned).queryByRole("button")).toBeNull();
    expect((await row("llm.api_key")).textContent).toContain("***");
    expect((await row("retention.posts")).textContent).toContain("not set");
  });

  it("setting is changed and the change is undone", async () => {
    const { user } = open("/settings/configuration");
    await user.click(within(await row("alerts.negative_share")).getByRole("button", { name: /^Edit/ }));
    const dialog = await screen.findByRole("dialog", { name: "alerts.negative_share" });
    const input = within(dialog).getByLabelText("Value");
    await user.clear(input);
    await user.type(input, "0.7");
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await waitFor(async () =>
      expect((await row("alerts.negative_share")).textContent).toContain("Changed here by ada"),
    );
    expect(state.world.settings.settings[1]?.value).toBe(0.7);
    await user.click(
      within(await row("alerts.negative_share")).getByRole("button", { name: /^Undo the last change/ }),
    );
    await waitFor(async () => expect((await row("alerts.negative_share")).textContent).toContain("Default"));
    expect(state.world.settings.settings[1]?.value).toBe(0.5);
  });

  it("refused value shows the error at its field", async () => {
    state.world.settings.errors['"1min"'] = 'must be between 1h and 366d, is "1min"';
    const { user } = open("/settings/configuration");
    await user.click(within(await row("retention.posts")).getByRole("button", { name: /^Edit/ }));
    const dialog = await screen.findByRole("dialog", { name: "retention.posts" });
    await user.type(within(dialog).getByLabelText("Value"), "1min");
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    const message = await within(dialog).findByText(/Must be between 1h and 366d/);
    expect(message.textContent).toContain("▼");
    expect(within(dialog).getByLabelText("Value").getAttribute("aria-invalid")).toBe("true");
  });

  it("search and filters narrow the list", async () => {
    const { user } = open("/settings/configuration");
    await row("cache.ttl");
    await user.type(screen.getByLabelText("Search settings"), "negative");
    expect(await screen.findByText("1 setting")).toBeTruthy();
    await user.clear(screen.getByLabelText("Search settings"));
    await user.click(screen.getByRole("button", { name: "Changed" }));
    expect(await screen.findByText("1 setting")).toBeTruthy();
    await row("cache.ttl");
    await user.click(screen.getByRole("button", { name: "Editable" }));
    expect(await screen.findByText("2 settings")).toBeTruthy();
  });
});
