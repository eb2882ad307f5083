import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { refundInsight } from "@/testing/insights";
import { makePost } from "@/testing/world";

const { state } = serve();

function fill() {
  const now = Date.now();
  state.world.add(
    makePost({ id: "a", at: now - 60_000, sentiment: "negative" }),
    makePost({ id: "b", at: now - 90 * 60_000 }),
  );
}

const happened = () => screen.findByRole("region", { name: "What happened" });
const behind = () => screen.findByRole("region", { name: /^What explains the change/ });

describe("insights", () => {
  it("overview explains the change by words, sources and texts", async () => {
    fill();
    state.world.insight = refundInsight;
    open("/?range=1h");
    const sentence = await happened();
    expect(sentence.textContent).toContain(
      "Negative posts rose from 34.2% to 97.1%, mostly anger, mostly on twitter.",
    );
    const word = within(sentence).getByRole("link", { name: "refund" });
    expect(word.getAttribute("href")).toContain(
      "sentiment=negative&emotion=anger&source=twitter&q=refund".slice(0, 18),
    );
    const card = within(await behind());
    expect(await card.findByRole("link", { name: "refund 61.3% before 1.5%" })).toBeTruthy();
    expect(card.getByRole("link", { name: /^twitter \+58\.1 pp/ })).toBeTruthy();
    expect(card.getByRole("link", { name: /^ada twitter \+4\.3 pp/ })).toBeTruthy();
    expect(card.getByText("31×")).toBeTruthy();
    expect(card.getByRole("heading", { name: "Typical posts" })).toBeTruthy();
  });

  it("no finding is shown without a significant change", async () => {
    fill();
    const { settled } = open("/?range=1h");
    await screen.findByRole("link", { name: /^Posts 1/ });
    await settled();
    expect(screen.queryByRole("region", { name: "What happened" })).toBeNull();
    expect(screen.queryByRole("region", { name: /^What explains the change/ })).toBeNull();
  });

  it("selected range is compared with the previous one", async () => {
    fill();
    const now = Math.floor(Date.now() / 60_000) * 60_000;
    const iso = (time: number) => new Date(time).toISOString();
    open(`/?from=${iso(now - 20 * 60_000)}&to=${iso(now - 10 * 60_000)}`);
    expect(await within(await behind()).findByText("No word became more frequent.")).toBeTruthy();
    const asked = state.requests.find((request) => request.includes("/api/insights/explain"));
    expect(asked).toContain(`against_start=${iso(now - 30 * 60_000)}`);
  });

  it("compare and topics views show the change", async () => {
    fill();
    state.world.topics.add("acme", "acme");
    state.world.topics.add("globex", "globex");
    state.world.insight = (params) =>
      params.get("topic") === "acme" || !params.get("topic") ? refundInsight() : {};
    const { router } = open("/compare");
    expect((await happened()).textContent).toContain("Negative posts rose");
    expect(await behind()).toBeTruthy();
    await router.navigate({ to: "/topics" });
    await waitFor(async () => expect((await happened()).textContent).toContain("acme: Negative posts rose"));
    expect((await happened()).textContent).not.toContain("globex");
  });
});
