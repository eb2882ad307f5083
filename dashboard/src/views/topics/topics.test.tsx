import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";
import { cutAt, mistakeOf } from "./mistake";

const { state, publish } = serve();
const MINUTE = 60_000;

function fill() {
  const now = Date.now();
  state.world.add(
    makePost({ id: "a", at: now - 2 * MINUTE, content: "Acme is wonderful" }),
    makePost({ id: "b", at: now - 3 * MINUTE, content: "Acme broke again", sentiment: "negative" }),
    makePost({ id: "c", at: now - 4 * MINUTE, content: "Globex opened a shop", sentiment: "neutral" }),
    makePost({ id: "d", at: now - 90 * MINUTE, content: "Acme, long ago" }),
  );
}

describe("query mistake", () => {
  it("mistake position counts characters, not UTF-16 units", () => {
    expect(mistakeOf("at character 7: a word was expected")).toEqual({
      position: 7,
      message: "a word was expected",
    });
    expect(mistakeOf("is too long")).toEqual({ position: null, message: "is too long" });
    expect(cutAt("😀 ( x", 3)).toEqual(["😀 ", "(", " x"]);
    expect(cutAt("ab", 3)).toEqual(["ab", "", ""]);
  });
});

describe("topics", () => {
  it("topic form shows a preview and syntax errors", async () => {
    fill();
    const { user } = open("/topics");
    expect(await screen.findByText("No topics")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Add topic" }));
    const form = await screen.findByRole("dialog", { name: "Add topic" });
    await user.type(within(form).getByLabelText("Name"), "acme");
    await user.type(within(form).getByLabelText("Query"), "acme (");
    expect((await within(form).findByRole("alert")).textContent).toContain(
      "Character 6: this bracket is never closed",
    );
    expect((within(form).getByRole("button", { name: "Add topic" }) as HTMLButtonElement).disabled).toBe(
      true,
    );
    await user.type(within(form).getByLabelText("Query"), "{Backspace}{Backspace}");
    const preview = await within(form).findByRole("region", { name: "Preview" });
    // The preview may show an earlier query for a moment.
    await waitFor(() =>
      expect(within(preview).getByRole("status").textContent).toBe("3 posts of the newest 4 (75.0%)"),
    );
    await user.click(within(form).getByRole("button", { name: "Add topic" }));
    expect(await screen.findByText("3 posts in total")).toBeTruthy();
  });

  it("share of voice compares periods and links to the overview", async () => {
    fill();
    state.world.topics.add("acme", "acme");
    state.world.topics.add("globex", "globex");
    const { user, url } = open("/topics");
    const row = await screen.findByRole("row", { name: /^acme/ });
    expect(row.textContent).toContain("66.7%");
    await waitFor(() => expect(row.textContent).toContain("+100.0%"));
    await waitFor(() => expect(row.textContent).toContain("−100.0 pp"));
    await user.click(within(row).getByRole("link", { name: "acme" }));
    await waitFor(() => expect(url()).toBe("/?topic=acme"));
    expect(await screen.findByRole("link", { name: /^Posts 2 / })).toBeTruthy();
    expect(await screen.findByRole("combobox", { name: "Topic: acme" })).toBeTruthy();
  });

  it("sentiment of the whole post is chosen and asked for", async () => {
    fill();
    state.world.topics.add("acme", "acme");
    const { user, url, settled } = open("/?topic=acme&range=1h");
    const choice = within(await screen.findByRole("group", { name: "Sentiment" }));
    expect(choice.getByRole("button", { name: "Towards the topic" }).ariaPressed).toBe("true");
    await settled();
    expect(state.requests.join()).not.toContain("sentiment_of");
    state.requests.length = 0;
    await user.click(choice.getByRole("button", { name: "Of the whole post" }));
    await waitFor(() => expect(url()).toContain("sentiment_of=post"));
    for (const route of ["/api/posts", "/api/sentiment/aggregate", "/api/compare"]) {
      const asks = (line: string) =>
        line.startsWith(`GET ${route}?`) && line.includes("topic=acme") && line.includes("sentiment_of=post");
      await waitFor(() => expect(state.requests.some(asks), route).toBe(true));
    }
    await user.click(screen.getByRole("button", { name: "Remove the topic filter" }));
    await waitFor(() => expect(url()).toBe("/?range=1h"));
  });

  it("following a brand adds topic, rules and sources in one step", async () => {
    fill();
    const { user } = open("/topics");
    await user.click(await screen.findByRole("button", { name: "Follow a brand" }));
    const form = within(await screen.findByRole("dialog", { name: "Follow a brand" }));
    await user.type(form.getByLabelText("Brand, product or person"), "Acme Phone");
    await user.click(form.getByLabelText(/^Bluesky/));
    await user.click(form.getByLabelText(/^Mastodon/));
    await user.click(form.getByRole("button", { name: "Follow" }));
    expect(await form.findByText("New posts come from acme-phone-news, acme-phone-mastodon.")).toBeTruthy();
    expect(state.world.sourceWorld.managed).toMatchObject([
      { kind: "rss", settings: { feeds: ["https://news.google.com/rss/search?q=%22Acme%20Phone%22"] } },
      { kind: "mastodon", settings: { tags: ["acmephone"] } },
    ]);
    expect(state.world.rules.rules.map(({ name }) => name)).toEqual([
      "Acme Phone: Sentiment turns negative",
      "Acme Phone: Unusually many posts",
    ]);
  });

  it("following a brand reports a rule that cannot be added", async () => {
    fill();
    state.world.rules.add({ name: "Acme: Sentiment turns negative" });
    const { user } = open("/topics");
    await user.click(await screen.findByRole("button", { name: "Follow a brand" }));
    const form = within(await screen.findByRole("dialog", { name: "Follow a brand" }));
    await user.type(form.getByLabelText("Brand, product or person"), "Acme");
    await user.click(form.getByRole("button", { name: "Follow" }));
    expect(await form.findByText("An alert rule could not be added.")).toBeTruthy();
    expect(form.getByText(/another rule already has this name/i)).toBeTruthy();
    expect(form.getByText(/^New posts come from acme-bluesky/)).toBeTruthy();
    expect(state.world.rules.rules.map(({ name }) => name)).toContain("Acme: Unusually many posts");
  });

  it("totals of topics are refetched while posts arrive", async () => {
    fill();
    state.world.topics.add("acme", "acme");
    state.world.topics.add("globex", "globex");
    const { settled } = open("/topics");
    expect(await screen.findByText("3 posts in total")).toBeTruthy();
    await screen.findByText("Live", { selector: "[role=status]" });
    await settled();
    const [topic] = state.world.topics.topics;
    if (topic) topic.posts = { ...topic.posts, total: 4 };
    const earlier = () =>
      state.requests.filter((line) => line.includes("/api/topics/share?") && !line.includes("period="));
    const before = earlier();
    expect(before).not.toHaveLength(0);
    publish(makePost({ id: "new", at: Date.now(), content: "Acme again" }));
    expect(await screen.findByText("4 posts in total")).toBeTruthy();
    // The share of voice is refetched with the totals.
    const row = await screen.findByRole("row", { name: /^acme/ });
    await waitFor(() => expect(row.textContent).toContain("75.0%"));
    // The shares of the earlier period are not refetched.
    await settled();
    expect(
      earlier()
        .slice(before.length)
        .filter((line) => before.includes(line)),
    ).toEqual([]);
  });

  it("figures are refetched when stored posts have been matched", async () => {
    state.world.topics.add("acme", "acme", { backfill: { running: true, progress: 10 } });
    open("/?topic=acme&range=1h");
    expect(await screen.findByRole("link", { name: /^Posts 0/ })).toBeTruthy();
    fill();
    const [topic] = state.world.topics.topics;
    if (topic) topic.backfill = { running: false, progress: 100 };
    expect(await screen.findByRole("link", { name: /^Posts 2 / })).toBeTruthy();
  });
});
