import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Alert } from "@/api/types";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { makeDelivery } from "@/testing/notify";
import { evidence, measured } from "../words";
import { detailsOf } from "./details";

const { state } = serve();
const MINUTE = 60_000;
const AWAY = { status: 503, json: { title: "Unavailable", status: 503, detail: "the database is away" } };

function fire(part: Partial<Alert> = {}): Alert {
  const now = Date.now();
  const rule = state.world.rules.add({ name: "Bad mood", window: "10min" });
  const alert: Alert = {
    id: 7,
    rule_id: rule.id,
    alert_type: "Bad mood",
    scope: "source:web",
    state: "firing",
    severity: "critical",
    labels: { alertname: "Bad mood", kind: "share", source: "web" },
    annotations: { summary: "60% of 40 posts are negative" },
    threshold_value: 0.5,
    actual_value: 0.6,
    window_start: iso(now - 11 * MINUTE),
    window_end: iso(now - MINUTE),
    post_count: 40,
    triggered_at: iso(now - MINUTE),
    resolved_at: null,
    details: {
      counts: { positive: 6, neutral: 10, negative: 24, total: 40 },
      link: "/posts?from=2026%2D03%2D01T10%3A00%3A00%2E000Z&to=2026%2D03%2D01T10%3A10%3A00%2E000Z&sentiment=negative",
      top_emotions: [{ emotion: "anger", count: 20, percentage: 50 }],
      top_terms: [{ term: "checkout", score: 5.1, count: 12, baseline_count: 2 }],
      top_sources: [{ source: "web", count: 24, posts: 40, percentage: 100 }],
      top_authors: [{ author: "ada", source: "web", count: 3, post_ids: ["a"] }],
      evidence: [
        {
          post_id: "a",
          content: "The checkout fails",
          source: "web",
          author: "ada",
          created_at: iso(now - 2 * MINUTE),
          sentiment: "negative",
          emotion: "anger",
          confidence: 0.93,
          duplicates: 4,
        },
      ],
    },
    ...part,
  };
  state.world.alerts.push(alert);
  return alert;
}

describe("alert details", () => {
  it("malformed details are ignored", () => {
    const odd = {
      details: { counts: 3, top_terms: [{ term: 1 }, "x"], evidence: { a: 1 }, baseline: "none" },
    };
    expect(detailsOf(odd)).toMatchObject({ counts: null, terms: [], posts: [], baseline: null });
  });

  it("evidence link comes from the server or the window", () => {
    const alert = fire();
    expect(evidence(alert)).toEqual({
      from: "2026-03-01T10:00:00.000Z",
      to: "2026-03-01T10:10:00.000Z",
      sentiment: "negative",
    });
    const old = { ...alert, details: {} };
    expect(evidence(old)).toMatchObject({ source: "web", sentiment: "negative", from: alert.window_start });
    expect(measured(alert)).toBe("60.0%, limit 50.0%");
  });

  it("limit of a shift has no sign in either direction", () => {
    const alert = { ...fire(), labels: { kind: "shift" }, threshold_value: 0.15 };
    expect(measured(alert, 0.2)).toBe("+20.0 pp, limit 15 pp");
    expect(measured(alert, -0.2)).toBe("−20.0 pp, limit 15 pp");
  });
});

/** The first element of a role and name. jsdom shows the actions of phones and of wide screens. */
async function first(role: "button", name: string): Promise<HTMLElement> {
  const [element] = await screen.findAllByRole(role, { name });
  if (!element) throw new Error(`no ${role} ${name}`);
  return element;
}

describe("alert page", () => {
  it("alert page shows figures, evidence, rule and deliveries", async () => {
    fire();
    state.world.notify.deliveries = [makeDelivery(3)];
    open("/alerts/7");
    expect(await screen.findByRole("heading", { name: "Bad mood in web" })).toBeTruthy();
    expect(screen.getByText("60% of 40 posts are negative")).toBeTruthy();
    const figures = screen.getByRole("region", { name: "Key figures" });
    expect(within(figures).getByText("60.0%")).toBeTruthy();
    expect(within(figures).getByText("limit 50.0%, 60.0% at firing")).toBeTruthy();
    expect(within(figures).getByText("20 of 40 posts")).toBeTruthy();
    const posts = screen.getByRole("list", { name: "Evidence" });
    expect(posts.textContent).toContain("The checkout fails");
    expect(posts.textContent).toContain("4 similar posts");
    const word = screen.getByRole("link", { name: /^checkout/ });
    expect(word.getAttribute("href")).toContain("q=checkout");
    expect(within(screen.getByRole("region", { name: "Timeline" })).getByText("Firing")).toBeTruthy();
    const rule = await screen.findByRole("region", { name: /^Rule/ });
    expect(
      within(rule).getByText("Share of negative posts above 50.0% within 10 min, in all sources"),
    ).toBeTruthy();
    expect(await screen.findByRole("button", { name: "Show delivery 3 to on-call" })).toBeTruthy();
    expect(state.requests.some((request) => request.startsWith("GET /api/alerts/deliveries?alert=7"))).toBe(
      true,
    );
  });

  it("alert is acknowledged by one click and a note is added", async () => {
    fire();
    const { user } = open("/alerts/7");
    await user.click(await first("button", "Acknowledge"));
    expect(await screen.findByText("Acknowledged by ada")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Acknowledge" })).toBeNull();
    await user.click(await first("button", "Add note"));
    const question = await screen.findByRole("dialog", { name: "Note" });
    await user.type(within(question).getByLabelText("Note"), "Calling the shop");
    await user.click(within(question).getByRole("button", { name: "Save" }));
    expect(await screen.findByText("Calling the shop")).toBeTruthy();
  });

  it("quick silence needs no name and can be undone", async () => {
    fire();
    const { user } = open("/alerts/7");
    await user.click(await first("button", "Silence 1 h"));
    const undo = await screen.findByRole("button", { name: /^Silenced until .*Undo$/ });
    const [silence] = state.world.notify.silences;
    expect(silence?.matchers[0]).toEqual({ label: "alertname", op: "=", value: "Bad mood" });
    await user.click(undo);
    await waitFor(() => expect(state.world.notify.silences[0]?.state).toBe("expired"));
  });

  it("failed undo of a quick silence shows the error", async () => {
    fire();
    const { user } = open("/alerts/7");
    await user.click(await first("button", "Silence 1 h"));
    const undo = await screen.findByRole("button", { name: /^Silenced until .*Undo$/ });
    state.intercept = ({ method }) => (method === "DELETE" ? AWAY : undefined);
    await user.click(undo);
    expect((await screen.findByRole("alert")).textContent).toMatch(/temporarily unavailable/);
    expect(screen.getByRole("button", { name: /^Silenced until .*Undo$/ })).toBeTruthy();
  });

  it("active alert shows current value and value at firing", async () => {
    fire({ phase: "recovering" });
    const [rule] = state.world.rules.rules;
    if (rule)
      rule.series = [{ scope: "source:web", state: "recovering", since: iso(Date.now()), value: 0.41 }];
    open("/alerts/7");
    const figures = await screen.findByRole("region", { name: "Key figures" });
    expect(await within(figures).findByText("41.0%")).toBeTruthy();
    expect(within(figures).getByText("limit 50.0%, 60.0% at firing")).toBeTruthy();
    expect(within(figures).getByText("Active for")).toBeTruthy();
    expect(within(figures).getByText("recovering")).toBeTruthy();
  });

  it("resolved alert shows its peak and the value at firing", async () => {
    const alert = fire({ state: "resolved", resolved_at: iso(Date.now()) });
    alert.details.peak = 0.82;
    open("/alerts/7");
    const figures = await screen.findByRole("region", { name: "Key figures" });
    expect(within(figures).getByText("Peak").nextSibling?.textContent).toBe("82.0%");
    expect(within(figures).getByText("limit 50.0%, 60.0% at firing")).toBeTruthy();
  });

  it("frequent words show usual rates and no stop words", async () => {
    const alert = fire();
    alert.details.top_terms = [
      { term: "checkout", score: 5, count: 12, baseline_count: 72 },
      { term: "the", score: 4, count: 30, baseline_count: 100 },
    ];
    open("/alerts/7");
    const words = await screen.findByRole("region", { name: /^Frequent words/ });
    // 72 posts in a day are 0.5 in ten minutes.
    expect(within(words).getByRole("link", { name: /^checkout/ }).textContent).toBe("checkout 12 0.5");
    expect(within(words).queryByText("the")).toBeNull();
  });

  it("silence form is filled with the matchers of the alert", async () => {
    fire();
    const { user } = open("/alerts/7");
    await user.click(await first("button", "Silence options"));
    const form = await screen.findByRole("dialog", { name: "Silence alerts like this" });
    expect((within(form).getByLabelText("Value 1") as HTMLInputElement).value).toBe("Bad mood");
    await user.type(within(form).getByLabelText("Your name"), "ada");
    await user.type(within(form).getByLabelText("Reason"), "known");
    await user.click(within(form).getByRole("button", { name: "Silence" }));
    await waitFor(() =>
      expect(state.world.notify.silences[0]?.matchers).toEqual([
        { label: "alertname", op: "=", value: "Bad mood" },
        { label: "source", op: "=", value: "web" },
      ]),
    );
    await screen.findByRole("heading", { name: "Bad mood in web" });
  });

  it("missing alert links to the list", async () => {
    open("/alerts/99");
    expect(await screen.findByText("Alert not found")).toBeTruthy();
  });

  it("alert without its rule explains the missing chart", async () => {
    const alert = fire();
    state.world.rules.rules = [];
    open(`/alerts/${alert.id}`);
    expect(await screen.findByText("Rule removed")).toBeTruthy();
  });

  it("failed request for the rule does not report it as removed", async () => {
    fire({ state: "resolved", resolved_at: iso(Date.now()) });
    state.intercept = (_, { pathname }) => (/^\/api\/alerts\/rules\/\d+$/.test(pathname) ? AWAY : undefined);
    const { user } = open("/alerts/7");
    const rule = await screen.findByRole("region", { name: /^Rule/ });
    expect(within(rule).getByRole("alert").textContent).toMatch(/temporarily unavailable/);
    expect(screen.queryByText(/removed/)).toBeNull();
    state.intercept = () => undefined;
    await user.click(within(rule).getByRole("button", { name: "Try again" }));
    expect(await screen.findByText(/^Share of negative posts above/)).toBeTruthy();
  });
});
