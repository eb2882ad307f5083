import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { iso } from "@/testing/answer";
import { makeLetter } from "@/testing/answers";
import { open, serve } from "@/testing/app";
import { makeFeed, makePost } from "@/testing/world";

const { state, publish } = serve();
const MINUTE = 60_000;

describe("posts", () => {
  it("URL parameters become API parameters", async () => {
    state.world.add(makePost({ id: "a", at: Date.now() }));
    open(
      "/posts?source=web&author=ada&lang=pt&min=0.8&q=post&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z",
    );
    await screen.findByText("No posts match");
    const asked = state.requests.find(
      (line) => line.startsWith("GET /api/posts?") && line.includes("min_confidence"),
    );
    expect(asked).toContain("source=web&");
    expect(asked).toContain("author=ada");
    expect(asked).toContain("lang=pt");
    expect(screen.getByRole("button", { name: "Remove the language filter Portuguese" })).toBeTruthy();
    expect(asked).toContain("min_confidence=0.8");
    expect(asked).toContain("start_date=2026-01-01T00:00:00.000Z&end_date=2026-01-02T00:00:00.000Z");
  });

  it("chosen order is applied and kept in the URL", async () => {
    state.world.add(
      makePost({ id: "a", at: Date.now() - MINUTE, content: "First", confidence: 0.9 }),
      makePost({ id: "b", at: Date.now(), content: "Second", confidence: 0.5 }),
    );
    const { user, url } = open("/posts");
    await screen.findByText("First");
    const order = () =>
      screen.getAllByRole("article").map((row) => /First|Second/.exec(row.textContent)?.[0]);
    expect(order()).toEqual(["Second", "First"]);
    await user.click(screen.getByRole("button", { name: "Order: Newest first" }));
    await user.click(await screen.findByRole("menuitemradio", { name: "Highest confidence first" }));
    await waitFor(() => expect(order()).toEqual(["First", "Second"]));
    expect(url()).toBe("/posts?sort=confidence");
  });

  it("empty result offers to clear the filters", async () => {
    state.world.add(makePost({ id: "a", at: Date.now(), content: "Here I am" }));
    const { user, url } = open("/posts?emotion=fear");
    await user.click(await screen.findByRole("button", { name: "Clear filters" }));
    expect(await screen.findByText("Here I am")).toBeTruthy();
    expect(url()).toBe("/posts");
  });

  it("post in the URL opens and can be deleted", async () => {
    state.world.add(makePost({ id: "at://x/1", at: Date.now(), content: "To be deleted", author: "eve" }));
    const { user, url } = open("/posts?post=at%3A%2F%2Fx%2F1");
    const drawer = await screen.findByRole("dialog", { name: "Post" });
    expect(await within(drawer).findByText("Emotion scores")).toBeTruthy();
    await user.click(within(drawer).getByRole("button", { name: "Delete" }));
    const question = await screen.findByRole("dialog", { name: "Delete this post?" });
    await user.click(within(question).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(url()).toBe("/posts"));
    expect(state.requests).toContain("DELETE /api/posts/at%3A%2F%2Fx%2F1");
    expect(await screen.findByText("No posts match")).toBeTruthy();
  });

  it("new posts are counted and added on request", async () => {
    const { user } = open("/posts");
    await screen.findByText("No posts match");
    await screen.findByText("Live", { selector: "[role=status]" });
    for (const id of ["a", "b"]) {
      publish(makePost({ id, at: Date.now() }));
      await user.click(await screen.findByRole("button", { name: "1 new post" }));
      expect(await screen.findByText(`Post ${id}`)).toBeTruthy();
    }
  });

  it("influential words are marked on request", async () => {
    state.world.add(makePost({ id: "a", at: Date.now(), content: "what a wonderful day" }));
    const { user } = open("/posts?post=a");
    await user.click(await screen.findByRole("button", { name: "Which words drove this result?" }));
    const marked = await screen.findByText("wonderful", { selector: "mark" });
    expect(marked).toBeTruthy();
  });
});

describe("emotions", () => {
  it("emotions page shows shares, examples and the hours of the day", async () => {
    const at = Date.now() - MINUTE;
    state.world.add(
      makePost({ id: "a", at, emotion: "fear", content: "What was that?" }),
      makePost({
        id: "b",
        at,
        emotion: "joy",
        confidence: 0.5,
        content: "Not sure at all",
      }),
    );
    const { user } = open("/emotions?range=15m");
    const examples = await screen.findByRole("list", { name: "Examples of fear" });
    expect(await within(examples).findByText("What was that?")).toBeTruthy();
    expect(screen.queryByText("Not sure at all")).toBeNull();
    expect(await screen.findByRole("link", { name: /^1 post .*with fear$/ })).toBeTruthy();
    const rule = await screen.findByRole("link", { name: "Alert on fear" });
    expect(rule.getAttribute("href")).toBe("/alerts/rules/new?range=15m&emotion=fear");
    const table = await screen.findByRole("table");
    expect(within(table).getAllByText("50")).toHaveLength(2);
    await user.click(screen.getByRole("button", { name: "Table" }));
    const region = await screen.findByLabelText("Emotions over time as a table");
    expect(region.querySelectorAll("tbody tr")).toHaveLength(15);
  });
});

describe("hours of the day", () => {
  it.each([
    [200, "90 days until"],
    [0.5, "24 hours until"],
  ])("range of %s days states the hours that are shown", async (days, note) => {
    const end = Date.now() - 24 * 60 * MINUTE;
    open(`/emotions?from=${iso(end - days * 24 * 60 * MINUTE)}&to=${iso(end)}`);
    expect((await screen.findByRole("heading", { name: /^Emotions by hour/ })).textContent).toContain(note);
  });
});

describe("alerts", () => {
  it("empty state is shown without active alerts", async () => {
    open("/alerts");
    expect(await screen.findByText(/No active alerts/)).toBeTruthy();
    expect(await screen.findByText("No alerts in this period")).toBeTruthy();
  });

  it("rule form names limits of the metric and all placeholders", async () => {
    const { user } = open("/alerts/rules/new");
    expect(await screen.findByText("In whole minutes, up to 1 d")).toBeTruthy();
    await user.selectOptions(screen.getByLabelText("Metric"), "Unusual number of posts");
    expect(screen.getByText("In whole minutes, up to 3 h")).toBeTruthy();
    expect(screen.getByText(/\{\{source\}\}, \{\{rule\}\} and \{\{severity\}\}$/)).toBeTruthy();
  });

  it("share rule does not offer to count all posts", async () => {
    const { user } = open("/alerts/rules/new");
    const counted = () => screen.getByLabelText<HTMLSelectElement>("Posts to count");
    const labels = () => [...counted().options].map((option) => option.label);
    await user.selectOptions(await screen.findByLabelText("Metric"), "Number of posts");
    await user.selectOptions(counted(), "All posts");
    await user.selectOptions(screen.getByLabelText("Metric"), "Share of posts");
    expect(counted().value).toBe("sentiment:negative");
    expect(labels()).not.toContain("All posts");
  });

  it("limit line of a falling share is below zero", async () => {
    const rule = state.world.rules.add({ kind: "shift", direction: "below", threshold: 0.15 });
    open(`/alerts/rules/${rule.id}`);
    expect(await screen.findByText("Limit −15.0 pp")).toBeTruthy();
  });

  it("active alert shows its value and links to its page", async () => {
    const now = Date.now();
    state.world.alerts.push({
      id: 1,
      alert_type: "negative_ratio",
      scope: "source:web",
      state: "firing",
      threshold_value: 2,
      actual_value: 3.5,
      window_start: iso(now - 5 * MINUTE),
      window_end: iso(now),
      post_count: 18,
      triggered_at: iso(now - 1_000),
      resolved_at: null,
      details: {},
    });
    open("/alerts");
    const firing = await screen.findByRole("region", { name: /^Active alerts/ });
    const row = await within(firing).findByRole("link", { name: /Negative posts per positive post in web/ });
    expect(row.textContent).toContain("3.5 to 1, limit 2 · 18 posts");
    expect(row.getAttribute("href")).toBe("/alerts/1");
    expect((await screen.findAllByRole("link", { name: /^1\s*firing\s*Alerts$/ })).length).toBeGreaterThan(0);
  });
});

describe("system", () => {
  it("selected dead letters are replayed", async () => {
    state.world.deadLetters = [
      makeLetter("1", "content: must not be blank", " "),
      makeLetter("2", "bad source", "Fine"),
    ];
    const { user } = open("/system");
    await user.click(await screen.findByRole("checkbox", { name: "Select post-2" }));
    await user.click(screen.getByRole("button", { name: "Replay 1" }));
    const question = await screen.findByRole("dialog", { name: "Replay 1 dead letter?" });
    await user.click(within(question).getByRole("button", { name: "Replay 1" }));
    expect(await screen.findByText("1 post replayed")).toBeTruthy();
    await waitFor(() => expect(screen.queryByText("bad source")).toBeNull());
    expect(screen.getByText("content: must not be blank")).toBeTruthy();
  });

  it("source state is shown and a source can be paused", async () => {
    state.world.feeds = [
      makeFeed("mastodon"),
      makeFeed("bluesky", { state: "backing_off", errors: 3, last_error: "connection refused" }),
    ];
    const { user } = open("/system");
    const sources = await screen.findByRole("region", { name: "Sources" });
    expect(within(sources).getByText("Connection refused")).toBeTruthy();
    await user.click(within(sources).getByRole("button", { name: "Pause mastodon" }));
    expect(await within(sources).findByRole("button", { name: "Resume mastodon" })).toBeTruthy();
    expect(within(sources).getByText("Paused")).toBeTruthy();
    expect(state.requests).toContain("POST /api/sources/mastodon/pause");
  });

  it("unhealthy component shows its error", async () => {
    state.world.components.push({
      name: "source:bluesky",
      healthy: false,
      state: "retrying",
      detail: "refused",
    });
    open("/system");
    const part = (await screen.findByText("Source bluesky")).closest("li") as HTMLElement;
    expect(within(part).getByText("refused")).toBeTruthy();
    expect(within(part).getByLabelText("Needs attention")).toBeTruthy();
    expect(await screen.findByText("No dead letters")).toBeTruthy();
  });
});

describe("try it", () => {
  it("typed text is analysed with influential words", async () => {
    const { user } = open("/try");
    const field = await screen.findByRole("textbox", { name: "Text to analyse" });
    await user.clear(field);
    await user.type(field, "a terrible outage");
    expect(await screen.findByText("outage", { selector: "mark" })).toBeTruthy();
    expect(await screen.findByText(/confidence 0\.90/)).toBeTruthy();
    await user.clear(field);
    expect(await screen.findByText("Enter a text")).toBeTruthy();
  });
});
