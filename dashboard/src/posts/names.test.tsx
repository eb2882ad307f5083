import { screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { refundInsight } from "@/testing/insights";
import { makePost } from "@/testing/world";

const { state } = serve();
const DID = "did:plc:ada";

function fill() {
  const now = Date.now();
  state.world.names = { [DID]: "ada.example" };
  state.world.add(makePost({ id: "a", at: now - 60_000, author: DID }));
  return now;
}

describe("names of authors", () => {
  it("author filter and posts show the handle", async () => {
    fill();
    open(`/posts?author=${DID}`);
    expect(await screen.findByRole("button", { name: "Remove the author filter ada.example" })).toBeTruthy();
    expect((await screen.findAllByText("ada.example")).length).toBeGreaterThan(1);
  });

  it("insights show the handle of a Bluesky author", async () => {
    fill();
    const refund = refundInsight();
    const authors = refund.authors?.map((author) => ({ ...author, author: DID })) ?? [];
    state.world.insight = () => ({ ...refund, authors });
    open("/?range=1h");
    const card = await screen.findByRole("region", { name: /^What explains the change/ });
    expect(await within(card).findByRole("link", { name: /^ada\.example twitter/ })).toBeTruthy();
    expect(within(card).queryByText(DID)).toBeNull();
  });

  it("alerts show the handle of a Bluesky author", async () => {
    const now = fill();
    state.world.alerts.push({
      id: 7,
      rule_id: null,
      alert_type: "Angry author",
      scope: `author:${DID}`,
      state: "firing",
      severity: "warning",
      labels: {},
      annotations: {},
      threshold_value: 0.5,
      actual_value: 0.6,
      window_start: iso(now - 600_000),
      window_end: iso(now),
      post_count: 4,
      triggered_at: iso(now),
      resolved_at: null,
      details: { top_authors: [{ author: DID, source: "bluesky", count: 3, post_ids: ["a"] }] },
    });
    open("/alerts/7");
    expect(await screen.findByRole("heading", { name: "Angry author by ada.example" })).toBeTruthy();
    const authors = await screen.findByRole("region", { name: /^Authors/ });
    expect(await within(authors).findByText("ada.example")).toBeTruthy();
  });
});
