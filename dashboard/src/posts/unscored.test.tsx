import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";

const { state } = serve();

describe("posts that were not scored", () => {
  it("list and drawer show that a post was not scored", async () => {
    const post = {
      ...makePost({ id: "ja", at: Date.now() - 60_000 }),
      sentiment: null,
      unscored: "language",
    };
    state.intercept = (request, url) => {
      if (request.method !== "GET") return undefined;
      if (url.pathname === "/api/posts") {
        return {
          status: 200,
          json: { posts: [post], total: 1, limit: 50, offset: 0, next_cursor: null, filters: {} },
        };
      }
      if (url.pathname === "/api/posts/ja")
        return { status: 200, json: { ...post, scores: null, truncated: null } };
      return undefined;
    };
    open("/posts?post=ja");
    const drawer = within(await screen.findByRole("dialog", { name: "Post" }));
    expect(await drawer.findByText("Not scored: language")).toBeTruthy();
    expect(drawer.queryByText("Sentiment scores")).toBeNull();
    expect(drawer.queryByRole("button", { name: "Which words drove this result?" })).toBeNull();
    expect((await screen.findAllByText("Not scored: language")).length).toBe(2);
  });
});
