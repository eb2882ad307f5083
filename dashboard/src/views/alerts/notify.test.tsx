import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";

const { state } = serve();

describe("silences", () => {
  it("are added with conditions, a length and a reason, and ended after a question", async () => {
    const { user } = open("/alerts/silences");
    expect(await screen.findByText("Nothing is silenced")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Add a silence" }));
    const form = await screen.findByRole("dialog", { name: "Add a silence" });
    await user.type(within(form).getByLabelText("Value 1"), "negative_share");
    await user.click(within(form).getByRole("button", { name: "4 h" }));
    await user.type(within(form).getByLabelText("Your name"), "ada");
    await user.type(within(form).getByLabelText("Why"), "planned work");
    await user.click(within(form).getByRole("button", { name: "Silence" }));
    expect(await screen.findByText("planned work")).toBeTruthy();
    expect(screen.getByText('alertname = "negative_share"')).toBeTruthy();
    const [silence] = state.world.notify.silences;
    if (!silence) throw new Error("nothing was saved");
    expect(Date.parse(silence.ends_at) - Date.parse(silence.starts_at)).toBe(4 * 3_600_000);
    await user.click(await screen.findByRole("button", { name: "End" }));
    const question = await screen.findByRole("dialog", { name: "End this silence?" });
    await user.click(within(question).getByRole("button", { name: "End" }));
    expect(await screen.findByRole("region", { name: /^Ended/ })).toBeTruthy();
  });

  it("say which field the server does not accept", async () => {
    state.intercept = (request, url) =>
      request.method === "POST" && url.pathname === "/api/alerts/silences"
        ? {
            status: 422,
            json: {
              title: "Invalid",
              status: 422,
              detail: "ends_at: must be in the future",
              errors: [{ field: "ends_at", message: "must be in the future" }],
            },
          }
        : undefined;
    const { user } = open("/alerts/silences");
    await user.click(await screen.findByRole("button", { name: "Add a silence" }));
    const form = await screen.findByRole("dialog", { name: "Add a silence" });
    await user.type(within(form).getByLabelText("Your name"), "ada");
    await user.type(within(form).getByLabelText("Why"), "x");
    await user.click(within(form).getByRole("button", { name: "Silence" }));
    expect(await within(form).findByText(/must be in the future/)).toBeTruthy();
    expect(within(form).getByLabelText("Until").getAttribute("aria-invalid")).toBe("true");
  });
});

describe("receivers", () => {
  it("are added, tested, and what came of it stands in the log", async () => {
    const { user } = open("/alerts/receivers");
    await user.click(await screen.findByRole("button", { name: "Add a receiver" }));
    const form = await screen.findByRole("dialog", { name: "Add a receiver" });
    await user.type(within(form).getByLabelText("Name"), "on-call");
    await user.type(within(form).getByLabelText("Address"), "https://hooks.example.org/a");
    await user.type(within(form).getByLabelText("Signing key"), "secret words");
    await user.click(within(form).getByRole("button", { name: "Add" }));
    await user.click(await screen.findByRole("button", { name: "Test on-call" }));
    expect(await screen.findByText(/The test arrived in 84 ms, answer 200/)).toBeTruthy();
    const log = screen.getByRole("region", { name: /^Deliveries/ });
    await user.click(await within(log).findByRole("button", { name: /^Show delivery/ }));
    const delivery = await screen.findByRole("dialog", { name: "Delivery" });
    expect(await within(delivery).findByText("ok")).toBeTruthy();
    // A secret is sent once and never shown.
    expect(document.body.textContent).not.toContain("secret words");
    await waitFor(() => expect(state.world.notify.receivers[0]?.secrets).toEqual(["signing_key"]));
  });
});
