import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";

const { state } = serve();

describe("topics of a post", () => {
  it("drawer shows the sentiment towards each topic and its clause", async () => {
    const post = {
      ...makePost({ id: "two", at: Date.now() - 60_000 }),
      content: "👍 I love Acme, but Apex is terrible",
      topics: [
        {
          topic: "acme",
          label: "positive",
          confidence: 0.91,
          sentiment_of: "topic",
          clause: { start: 2, end: 13 },
        },
        {
          topic: "apex",
          label: "negative",
          confidence: 0.87,
          sentiment_of: "topic",
          clause: { start: 15, end: 35 },
        },
        { topic: "other", label: null, confidence: null, sentiment_of: "post", clause: null },
      ],
    };
    state.intercept = (request, url) =>
      request.method === "GET" && url.pathname === "/api/posts/two" ? { status: 200, json: post } : undefined;
    open("/posts?post=two");
    const drawer = within(await screen.findByRole("dialog", { name: "Post" }));
    const heading = await drawer.findByRole("heading", { name: "Sentiment towards topics" });
    const rows = within(heading.parentElement as HTMLElement).getAllByRole("listitem");
    expect(rows.map((row) => row.textContent)).toEqual([
      expect.stringMatching(/^acme.*Positive.*0\.91.*I love Acme$/),
      expect.stringMatching(/^apex.*Negative.*0\.87.*but Apex is terrible$/),
      expect.stringMatching(/^other.*Not scored$/),
    ]);
  });
});
