import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";

const { state } = serve();

describe("silences", () => {
  it("silence is added and ended", async () => {
    const { user } = open("/alerts/silences");
    expect(await screen.findByText("No silences")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Add silence" }));
    const form = await screen.findByRole("dialog", { name: "Add silence" });
    await user.type(within(form).getByLabelText("Value 1"), "negative_share");
    await user.click(within(form).getByRole("button", { name: "4 h" }));
    await user.type(within(form).getByLabelText("Your name"), "ada");
    await user.type(within(form).getByLabelText("Reason"), "planned work");
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

  it("rejected field shows the server's error", async () => {
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
    await user.click(await screen.findByRole("button", { name: "Add silence" }));
    const form = await screen.findByRole("dialog", { name: "Add silence" });
    await user.type(within(form).getByLabelText("Your name"), "ada");
    await user.type(within(form).getByLabelText("Reason"), "x");
    await user.click(within(form).getByRole("button", { name: "Silence" }));
    expect(await within(form).findByText(/^▼ Must be in the future\.$/)).toBeTruthy();
    expect(within(form).getByLabelText("Until").getAttribute("aria-invalid")).toBe("true");
  });
});

describe("receivers", () => {
  it("receiver is added and its test delivery is logged", async () => {
    const { user } = open("/alerts/receivers");
    await user.click(await screen.findByRole("button", { name: "Add receiver" }));
    const form = await screen.findByRole("dialog", { name: "Add receiver" });
    await user.type(within(form).getByLabelText("Name"), "on-call");
    await user.type(within(form).getByLabelText("URL"), "https://hooks.example.org/a");
    await user.type(within(form).getByLabelText("Signing key"), "secret words");
    await user.click(within(form).getByRole("button", { name: "Add" }));
    await user.click(await screen.findByRole("button", { name: "Test on-call" }));
    expect(await screen.findByText(/Test delivered in 84 ms, status 200/)).toBeTruthy();
    const log = screen.getByRole("region", { name: /^Deliveries/ });
    await user.click(await within(log).findByRole("button", { name: /^Show delivery/ }));
    const delivery = await screen.findByRole("dialog", { name: "Delivery" });
    expect(await within(delivery).findByText("ok")).toBeTruthy();
    // The secret is never shown.
    expect(document.body.textContent).not.toContain("secret words");
    await waitFor(() => expect(state.world.notify.receivers[0]?.secrets).toEqual(["signing_key"]));
  });
});
