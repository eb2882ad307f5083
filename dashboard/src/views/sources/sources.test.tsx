import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { iso, ok } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { SOURCE_KINDS } from "@/testing/sources";
import { makeFeed } from "@/testing/world";

const { state } = serve();

describe("sources", () => {
  it("form offers every kind of source that the API lists", async () => {
    const added = { kind: "forum", title: "Forums", about: "Posts of forums.", fields: [] };
    const kinds = [...SOURCE_KINDS, added];
    state.intercept = (_, url) => (url.pathname === "/api/sources/kinds" ? ok({ kinds }) : undefined);
    const { user } = open("/sources");
    await user.click(await screen.findByRole("button", { name: "Add source" }));
    const dialog = await screen.findByRole("dialog", { name: "Add source" });
    const options = within(await within(dialog).findByLabelText("Kind")).getAllByRole("option");
    expect(options.map(({ textContent }) => textContent)).toEqual(kinds.map(({ title }) => title));
    await user.selectOptions(within(dialog).getByLabelText("Kind"), "Forums");
    expect(within(dialog).getByText("Posts of forums.")).toBeTruthy();
  });

  it("command to send a post has a token after signing in", async () => {
    const { accounts } = state.world;
    accounts.enter(accounts.add("ada", "admin"));
    open("/sources");
    expect(await screen.findByText(/^curl .*Bearer \$TOKEN/)).toBeTruthy();
    expect(screen.getByRole("link", { name: "your API tokens" })).toBeTruthy();
    expect(screen.getByText(/^sentistream import/)).toBeTruthy();
  });

  it("address is found, tested and added", async () => {
    state.world.sourceWorld.trial = {
      ok: true,
      message: "1 post was read.",
      posts: [
        {
          content: "Lovely coffee",
          author: "ada",
          url: null,
          created_at: iso(Date.now()),
          sentiment: "positive",
          emotion: "joy",
          confidence: 0.9,
        },
      ],
      rejected: [],
      filtered: 0,
    };
    const { user } = open("/sources");
    await user.click(await screen.findByRole("button", { name: "Add source" }));
    const dialog = await screen.findByRole("dialog", { name: "Add source" });
    await user.type(await within(dialog).findByLabelText("Address"), "https://blog.example.org{Enter}");
    const feeds = within(dialog).getByLabelText<HTMLTextAreaElement>("Feeds");
    await waitFor(() => expect(feeds.value).toBe("https://blog.example.org"));
    await user.click(within(dialog).getByRole("button", { name: "Test" }));
    expect(await within(dialog).findByText("Lovely coffee")).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Add source" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(state.world.sourceWorld.managed[0]).toMatchObject({
      name: "blog",
      kind: "rss",
      settings: { feeds: ["https://blog.example.org"] },
    });
  });

  it("only added sources can be edited and deleted", async () => {
    state.world.feeds.push(
      makeFeed("hackernews"),
      makeFeed("blog", { state: "failed", last_error: "answered 404" }),
    );
    state.world.sourceWorld.answer("POST", "/api/sources", {
      name: "blog",
      kind: "rss",
      settings: { feeds: ["https://a.org"] },
    });
    const { user } = open("/sources");
    const row = (await screen.findAllByRole("listitem")).find(({ textContent }) =>
      textContent?.includes("blog"),
    );
    if (!row) throw new Error("no row");
    expect(row.textContent).toContain("Answered 404");
    expect(screen.queryByRole("button", { name: "Edit hackernews" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Edit blog" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit source" });
    const feeds = await within(dialog).findByLabelText<HTMLTextAreaElement>("Feeds");
    await user.clear(feeds);
    await user.type(feeds, "https://b.org");
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    await waitFor(() =>
      expect(state.world.sourceWorld.managed[0]?.settings).toEqual({ feeds: ["https://b.org"] }),
    );
    await user.click(within(row).getByRole("button", { name: "Delete" }));
    await user.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(state.world.sourceWorld.managed).toHaveLength(0));
  });

  it("webhook shows its address and is tested with a sample", async () => {
    const { user } = open("/sources");
    await user.click(await screen.findByRole("button", { name: "Add source" }));
    const dialog = await screen.findByRole("dialog", { name: "Add source" });
    await user.selectOptions(await within(dialog).findByLabelText("Kind"), "Webhook");
    await user.type(within(dialog).getByLabelText("Name"), "Reviews");
    expect(within(dialog).getByText(`${window.location.origin}/api/hooks/reviews`)).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Generate a secret" }));
    const secret = within(dialog).getByLabelText<HTMLInputElement>("Secret").value;
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(within(dialog).getByText(secret)).toBeTruthy();
    await user.click(within(dialog).getByLabelText("Sample of a request"));
    await user.paste('{"text": "Lovely"}');
    expect(within(dialog).getByText(/BODY='{"text":"Lovely"}'/)).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Test" }));
    expect(await within(dialog).findByText("1 post was read.")).toBeTruthy();
    expect(state.world.sourceWorld.tested[0]).toMatchObject({
      name: "reviews",
      sample: '{"text": "Lovely"}',
      secrets: { secret },
    });
    await user.click(within(dialog).getByRole("button", { name: "Add source" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(state.world.sourceWorld.managed[0]).not.toHaveProperty("sample");
  });

  it("earlier posts are requested, with progress and last error", async () => {
    const day = 86_400_000;
    const backfill = {
      state: "connected" as const,
      posts: 1_200,
      until: iso(Date.now() - 2 * day),
      since: iso(Date.now() - 8 * day),
      last_error: "the server refuses searches",
    };
    state.world.feeds.push(makeFeed("blog", { backfill }));
    const { user } = open("/sources");
    const progress = await screen.findByRole<HTMLProgressElement>("progressbar", { name: "Earlier posts" });
    expect(progress.value).toBeCloseTo(0.25, 2);
    expect(screen.getByText(/Reading earlier posts: 1,200/)).toBeTruthy();
    expect(screen.getByText("Earlier posts, last error: The server refuses searches")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Add source" }));
    const dialog = await screen.findByRole("dialog", { name: "Add source" });
    await user.type(await within(dialog).findByLabelText("Feeds"), "https://a.org");
    await user.selectOptions(within(dialog).getByLabelText("Posts to read"), "New posts and the last 7 days");
    await user.click(within(dialog).getByRole("button", { name: "Add source" }));
    await waitFor(() =>
      expect(state.world.sourceWorld.managed[0]?.settings).toMatchObject({ history: "7d" }),
    );
  });
});
