import { cleanup, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { eventOf, makePost } from "@/testing/world";
import { concerns } from "./useAlertMarks";

const { state, publish, send } = serve();
const MINUTE = 60_000;

function fill() {
  const now = Date.now();
  state.world.add(
    makePost({ id: "a", at: now - 2 * MINUTE, content: "Lovely day" }),
    makePost({
      id: "b",
      at: now - 3 * MINUTE,
      sentiment: "negative",
      emotion: "anger",
      content: "Late again",
    }),
    makePost({ id: "c", at: now - 4 * MINUTE, sentiment: "negative", emotion: "fear", source: "radio" }),
    makePost({ id: "d", at: now - 90 * MINUTE, sentiment: "neutral", emotion: "neutral" }),
  );
}

const card = (name: RegExp) => screen.findByRole("link", { name });

describe("overview", () => {
  it("key figures compare the period with the one before", async () => {
    fill();
    open("/");
    expect(await card(/^Posts 3 ↑ \+200/)).toBeTruthy();
    expect(await card(/^Negative 66\.7% ↑ \+66\.7/)).toBeTruthy();
    expect(await card(/^Net sentiment −33\.3/)).toBeTruthy();
  });

  it("key figure links to its posts", async () => {
    fill();
    const { user, url } = open("/?range=15m&source=web");
    await user.click(await card(/^Negative 50/));
    await waitFor(() => expect(url()).toBe("/posts?range=15m&source=web&sentiment=negative"));
    await screen.findByRole("heading", { name: "Posts" });
    await waitFor(() => expect(screen.queryByRole("region", { name: "Newest posts" })).toBeNull());
    expect(await screen.findByText("Late again")).toBeTruthy();
    expect(screen.queryByText("Lovely day")).toBeNull();
  });

  it("live post is counted and shown in the feed", async () => {
    fill();
    open("/");
    await card(/^Posts 3/);
    await screen.findByText("Live", { selector: "[role=status]" });
    publish(makePost({ id: "new", at: Date.now(), content: "Just now" }));
    expect(await card(/^Posts 4/)).toBeTruthy();
    const feed = screen.getByRole("region", { name: "Newest posts" });
    expect(await within(feed).findByText("Just now")).toBeTruthy();
    send({ type: "post_deleted", data: { post_id: "new" } });
    await waitFor(() => expect(screen.queryByText("Just now")).toBeNull());
  });

  it("filters apply to every figure and chart", async () => {
    fill();
    open("/?q=late&author=ada&sentiment=negative");
    expect(await card(/^Negative posts 1/)).toBeTruthy();
    expect(await card(/^Negative 100\.0%/)).toBeTruthy();
    const emotions = screen.getByRole("region", { name: "Emotions" });
    await waitFor(() =>
      expect(within(emotions).getByRole("link", { name: /^Anger/ }).textContent).toContain("1"),
    );
    expect(within(emotions).getByRole("link", { name: /^Fear/ }).textContent).toContain("0");
    const day = screen.getByRole("region", { name: /^Distribution/ });
    expect(await within(day).findByRole("link", { name: /^Negative 1 100\.0%/ })).toBeTruthy();
    const asked = state.requests.filter((line) => line.startsWith("GET /api/sentiment/aggregate"));
    for (const line of asked) expect(line).toContain("author=ada&q=late");
  });

  it("empty database shows the next step", async () => {
    open("/");
    expect(await screen.findByText("No posts yet")).toBeTruthy();
    expect(screen.getByText(/curl -X POST/)).toBeTruthy();
    expect((await screen.findAllByText("No posts in this period")).length).toBeGreaterThan(0);
  });

  it("failed request shows the error and a retry", async () => {
    fill();
    let away = true;
    state.intercept = (_, url) =>
      away && url.pathname === "/api/sentiment/aggregate"
        ? { status: 503, json: { title: "Unavailable", detail: "The database is away." } }
        : undefined;
    const { user, settled } = open("/");
    // Opening the live connection refetches everything, which hides the button for a moment.
    await screen.findByText("Live", { selector: "[role=status]" });
    await settled();
    const alerts = await screen.findAllByRole("alert");
    expect(alerts[0]?.textContent).toContain("The database is away.");
    away = false;
    await user.click(within(alerts[0] as HTMLElement).getByRole("button", { name: "Try again" }));
    expect(await card(/^Posts 3/)).toBeTruthy();
  });

  it("chart is available as a table", async () => {
    fill();
    const { user } = open("/?range=15m");
    await user.click(await screen.findByRole("button", { name: "Table" }));
    const table = await screen.findByRole("table");
    expect(within(table).getAllByRole("row")).toHaveLength(16);
  });

  it("picture is not offered while the table is shown", async () => {
    fill();
    const { user } = open("/?range=15m");
    const picture = async () => {
      await user.click(await screen.findByRole("button", { name: /^Copy as report/ }));
      return screen.findByRole("menuitem", { name: /^Picture of the chart/ });
    };
    expect((await picture()).getAttribute("aria-disabled")).not.toBe("true");
    await user.keyboard("{Escape}");
    await user.click(screen.getByRole("button", { name: "Table" }));
    const item = await picture();
    expect(item.getAttribute("aria-disabled")).toBe("true");
    expect(item.textContent).toContain("the chart is not shown");
  });

  it("demo notice is shown until it is dismissed", async () => {
    state.world.components.push({ name: "source:synthetic", healthy: true, state: "connected" });
    const { user } = open("/");
    await screen.findByText(/These posts are made up/);
    expect(screen.getByRole("link", { name: "Connect a real source" }).getAttribute("href")).toBe("/sources");
    await user.click(await screen.findByRole("button", { name: "Dismiss" }));
    await waitFor(() => expect(screen.queryByText(/These posts are made up/)).toBeNull());
  });

  it("demo shows its progress and is removed when confirmed", async () => {
    state.world.demo = { ...state.world.demo, state: "filling", planned: 20_000, stored: 5_000 };
    const { user } = open("/");
    expect(await screen.findByText("5,000 of 20,000 posts (25%)")).toBeTruthy();
    state.world.demo = { ...state.world.demo, state: "ready", stored: 20_000 };
    await user.click(await screen.findByRole("button", { name: "Remove demo data" }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: "Remove demo data" }));
    expect(await screen.findByText(/Removing the demo posts/)).toBeTruthy();
    state.world.demo = { ...state.world.demo, state: "removed" };
    await waitFor(() => expect(screen.queryByText(/Removing the demo posts/)).toBeNull());
  });

  it("editor can remove the demo, analyst cannot", async () => {
    state.world.demo = { ...state.world.demo, state: "ready", planned: 20_000, stored: 20_000 };
    const { accounts } = state.world;
    accounts.enter(accounts.add("eve", "editor"));
    open("/");
    expect(await screen.findByRole("button", { name: "Remove demo data" })).toBeTruthy();
    cleanup();
    accounts.enter(accounts.add("ann", "analyst"));
    const { settled } = open("/");
    await screen.findByText(/These posts are made up/);
    await settled();
    expect(screen.queryByRole("button", { name: "Remove demo data" })).toBeNull();
  });

  it("removal of the demo is offered when real posts arrive", async () => {
    state.world.demo = { ...state.world.demo, state: "ready", planned: 20_000, stored: 20_000 };
    fill();
    open("/");
    expect(await screen.findByText("Real posts are arriving. Remove the demo data?")).toBeTruthy();
  });

  it("range fits the posts when nothing was chosen", async () => {
    const now = Date.now();
    state.world.add(
      makePost({ id: "old", at: now - 300 * MINUTE }),
      makePost({ id: "new", at: now - MINUTE }),
    );
    open("/");
    const day = await screen.findByRole("button", { name: "24 h" });
    await waitFor(() => expect(day.getAttribute("aria-pressed")).toBe("true"));
  });

  it("fitted range stays while the page is open", async () => {
    vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"], shouldAdvanceTime: true });
    onTestFinished(() => void vi.useRealTimers());
    state.world.add(makePost({ id: "new", at: Date.now() - MINUTE }));
    const { user, settled } = open("/");
    const hour = await screen.findByRole("button", { name: "1 h" });
    await card(/^Posts 1/);
    await screen.findByText("Live", { selector: "[role=status]" });
    await settled();
    const asked = (part: string) => state.requests.filter((line) => line.includes(part)).length;
    const before = asked("/api/sentiment/aggregate");
    state.world.add(makePost({ id: "old", at: Date.now() - 300 * MINUTE }));
    await vi.advanceTimersByTimeAsync(31_000);
    await waitFor(() => expect(asked("/api/sentiment/aggregate")).toBeGreaterThan(before));
    await settled();
    expect(hour.getAttribute("aria-pressed")).toBe("true");
    // A page that is opened later shows the same range, although the newest post is older than an hour.
    vi.setSystemTime(Date.now() + 90 * MINUTE);
    const [posts] = screen.getAllByRole("link", { name: "Posts" });
    await user.click(posts as HTMLElement);
    await screen.findByRole("img", { name: /^Posts over time/ });
    await settled();
    expect(state.requests.filter((line) => line.includes("period=hour"))).toEqual([]);
  });

  it("share of unscored posts is shown with languages and help", async () => {
    state.world.unscored = {
      posts: 200,
      unscored_count: 30,
      percentage: 15,
      languages: [
        { lang: "de", count: 25 },
        { lang: "fr", count: 5 },
      ],
    };
    const { user } = open("/");
    const note = await screen.findByText(/have no sentiment/);
    expect(note.textContent).toMatch(/^15\.0% of the posts .* does not know German, French\.$/);
    await user.click(screen.getByRole("button", { name: "Add a model" }));
    expect(await screen.findByText(/^sentistream models pull /)).toBeTruthy();
    expect(screen.getByText(/inference\.routes/).textContent).toContain('languages = ["de", "fr"]');
  });

  it("notice offers no model for a language that has one", async () => {
    state.world.unscored = {
      posts: 200,
      unscored_count: 30,
      percentage: 15,
      languages: [{ lang: "de", count: 30 }],
    };
    state.world.routes = [
      { languages: ["de"], model: "./m", state: "loading", behind: true, posts: 0, info: null, speed: null },
    ];
    open("/");
    expect(await screen.findByText(/the model for German has not analysed them yet\.$/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Add a model" })).toBeNull();
  });

  it("alerts of the period are marked in the chart", async () => {
    fill();
    const time = iso(Date.now() - 5 * MINUTE);
    state.world.alerts.push({
      id: 1,
      alert_type: "negative_share",
      scope: "all",
      state: "firing",
      threshold_value: 0.5,
      actual_value: 0.7,
      window_start: time,
      window_end: time,
      post_count: 10,
      triggered_at: time,
      resolved_at: null,
      details: {},
    });
    open("/");
    const flag = await screen.findByRole("link", { name: /^Alert: / });
    expect(flag.getAttribute("href")).toBe("/alerts/1");
  });

  it("event of an already counted post changes no totals", async () => {
    fill();
    open("/");
    await card(/^Posts 3/);
    await screen.findByText("Live", { selector: "[role=status]" });
    // The post was stored before the response was computed. Its event arrives after the response.
    const late = makePost({ id: "late", at: Date.now() - 30_000, content: "Late event" });
    send({ type: "post", data: eventOf(late) });
    expect(await screen.findByText("Late event")).toBeTruthy();
    expect(await card(/^Posts 3/)).toBeTruthy();
  });

  it("past range shows its own figures and top posts", async () => {
    const now = Date.now();
    state.world.add(
      makePost({ id: "old", at: now - 26 * 60 * MINUTE, content: "From yesterday", sentiment: "negative" }),
      makePost({ id: "new", at: now - MINUTE, content: "From now" }),
    );
    open(`/?from=${iso(now - 27 * 60 * MINUTE)}&to=${iso(now - 25 * 60 * MINUTE)}`);
    const top = await screen.findByRole("region", { name: "Top posts", hidden: false });
    expect(await within(top).findByText("From yesterday")).toBeTruthy();
    expect(screen.queryByText("From now")).toBeNull();
    const shares = screen.getByRole("region", { name: /^Distribution/ });
    expect(await within(shares).findByRole("link", { name: /^Negative 1 100\.0%/ })).toBeTruthy();
    expect(screen.queryByRole("region", { name: "Newest posts" })).toBeNull();
  });

  it("unusable parameters are ignored with a hint", async () => {
    fill();
    const { user, url } = open("/?from=abc&sentiment=foo&source=web");
    expect(await card(/^Posts 2/)).toBeTruthy();
    const hint = await screen.findByText(/values that cannot be used: from “abc”, sentiment “foo”/);
    expect(hint).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Remove" }));
    await waitFor(() => expect(url()).toBe("/?source=web"));
    expect(screen.queryByText(/cannot be used/)).toBeNull();
  });

  it("missing topic shows a link instead of placeholders", async () => {
    fill();
    const { user, url } = open("/?topic=gone");
    expect(await screen.findByText("Topic “gone” not found")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Show all posts" }));
    await waitFor(() => expect(url()).toBe("/"));
    expect(await card(/^Posts 3/)).toBeTruthy();
  });

  it("demo notice disappears once real posts arrive", async () => {
    state.world.components.push({ name: "source:synthetic", healthy: true, state: "connected" });
    state.world.add(makePost({ id: "real", at: Date.now(), source: "my-shop" }));
    const { settled } = open("/");
    await card(/^Posts 1/);
    await settled();
    expect(screen.queryByText(/These posts are made up/)).toBeNull();
  });
});

it("alert marks are limited to the filter", () => {
  expect(concerns("topic:acme", { topic: "acme" })).toBe(true);
  expect(concerns("all", { topic: "acme" })).toBe(false);
  expect(concerns("topic:globex", { topic: "acme" })).toBe(false);
  expect(concerns("all", { source: "web" })).toBe(true);
  expect(concerns("source:rss", { source: "web" })).toBe(false);
  expect(concerns("source:rss", {})).toBe(true);
});
