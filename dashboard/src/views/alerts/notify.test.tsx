import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Receiver } from "@/api/types";
import { open, serve } from "@/testing/app";
import { makeDelivery } from "@/testing/notify";

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

  it("link of a notification fills the form", async () => {
    const { user, url } = open(
      `/alerts/silences?matchers=${encodeURIComponent('alertname="Acme",source="rss"')}`,
    );
    const form = await screen.findByRole("dialog", { name: "Add silence" });
    expect(within(form).getByLabelText<HTMLInputElement>("Value 1").value).toBe("Acme");
    expect(within(form).getByLabelText<HTMLInputElement>("Value 2").value).toBe("rss");
    await user.click(within(form).getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(url()).toBe("/alerts/silences"));
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
    await user.selectOptions(within(form).getByLabelText("Channel"), "webhook");
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

  const stored = {
    ...{ id: 7, version: 1, provisioned: false, created_at: "2026-01-01T00:00:00.000Z", updated_at: "" },
    ...{ send_resolved: true, max_alerts: 20 },
  };

  async function edit(receiver: Receiver) {
    state.world.notify.receivers = [receiver];
    const { user } = open("/alerts/receivers");
    await user.click(await screen.findByRole("button", { name: `Edit ${receiver.name}` }));
    const form = within(await screen.findByRole("dialog", { name: "Edit receiver" }));
    const save = async () => {
      await user.click(form.getByRole("button", { name: "Save" }));
      await waitFor(() => expect(screen.queryByRole("dialog", { name: "Edit receiver" })).toBeNull());
      return state.world.notify.receivers[0];
    };
    return { user, form, save };
  }

  it("saving keeps templates and unknown fields of a receiver", async () => {
    const kept = {
      templates: { title: "{{ status }}!", text: null },
      unknown_field: { a: 1 },
      max_alerts: 20,
    };
    const slack = { ...stored, name: "chat", channel: { kind: "slack" as const }, secrets: ["url"], ...kept };
    const { user, form, save } = await edit(slack);
    await user.click(form.getByRole("checkbox", { name: "Also notify when an alert resolves" }));
    expect(await save()).toMatchObject({ ...kept, send_resolved: false, secrets: ["url"] });
  });

  it("saving keeps headers and secret headers of a webhook", async () => {
    const channel = { kind: "webhook" as const, url: "https://a.example", headers: { "X-Team": "a: b" } };
    const secrets = ["signing_key", "header.Authorization"];
    const { user, form, save } = await edit({ ...stored, name: "hook", channel, secrets });
    await user.click(form.getByRole("button", { name: "Remove Signing key" }));
    expect(await save()).toMatchObject({ channel, secrets: ["header.Authorization"] });
  });

  it("changing the kind of channel removes the previous secrets", async () => {
    const { user, form, save } = await edit({
      ...{ ...stored, name: "chat", channel: { kind: "slack" }, secrets: ["url"] },
    });
    await user.selectOptions(form.getByLabelText("Channel"), "telegram");
    await user.type(form.getByLabelText("Chat"), "@acme");
    await user.type(form.getByLabelText("Bot token"), "1:abc");
    expect(await save()).toMatchObject({
      channel: { kind: "telegram", chat_id: "@acme" },
      secrets: ["bot_token"],
    });
  });

  it("template shows its preview and its error", async () => {
    const { user, form } = await edit({
      ...{ ...stored, name: "chat", channel: { kind: "slack" }, secrets: ["url"] },
    });
    await user.click(form.getByText("Message text"));
    expect(await form.findByText("FIRING: Mood about Acme")).toBeTruthy();
    await user.type(form.getByLabelText("Title template"), "Look at this");
    expect(await form.findByText("Look at this", { selector: "p" })).toBeTruthy();
    await user.type(form.getByLabelText("Title template"), "{{{{{{{{");
    expect(await form.findByText(/Unexpected end of input/)).toBeTruthy();
  });

  it("failed delivery is sent again", async () => {
    state.world.notify.deliveries = [makeDelivery(5, { state: "failed", error: "401" })];
    const { user } = open("/alerts/receivers");
    await user.click(await screen.findByRole("button", { name: "Resend delivery 5 to on-call" }));
    expect(await screen.findByText("▲ Delivered")).toBeTruthy();
  });
});
