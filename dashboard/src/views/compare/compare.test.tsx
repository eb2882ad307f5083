import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { DAY, HOUR, windowOf } from "@/lib/range";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";
import { periodsOf } from "./periods";

const { state } = serve();

describe("periodsOf", () => {
  const now = Date.parse("2026-03-10T12:30:00Z");
  const window = windowOf({ range: "24h" }, now);

  it("periods are equally long and the later one ends now", () => {
    const { later, earlier } = periodsOf(window, undefined, now);
    expect(later.end).toBe(now);
    expect(earlier.end).toBe(later.start);
    expect(earlier.end - earlier.start).toBe(later.end - later.start);
  });

  it("earlier period starts at an offset or at a time", () => {
    expect(periodsOf(window, "7d", now).earlier.start).toBe(window.start - 7 * DAY);
    expect(periodsOf(window, "2026-01-01T00:00:00.000Z", now).earlier.start).toBe(Date.UTC(2026, 0, 1));
  });
});

describe("compare", () => {
  it("chosen period is compared and links to its posts", async () => {
    const now = Date.now();
    const at = (id: string, age: number, sentiment: "positive" | "negative") =>
      makePost({ id, at: now - age, sentiment });
    state.world.add(
      at("a", HOUR / 2, "negative"),
      at("b", HOUR / 2, "negative"),
      at("c", 1.5 * HOUR, "positive"),
      at("d", DAY + HOUR / 2, "negative"),
    );
    const { user, url } = open("/compare?range=1h");
    const table = await screen.findByRole("region", { name: "What changed" });
    const row = (name: RegExp) => within(table).getByRole("row", { name }).textContent;
    expect(row(/^Posts/)).toBe("Posts12↑ +100.0%");
    expect(row(/Negative/)).toContain("0.0%100.0%↑ +100.0 pp");
    await user.click(screen.getByRole("button", { name: "Day on day" }));
    await waitFor(() => expect(url()).toBe("/compare?range=1h&against=1d"));
    await waitFor(() => expect(row(/Negative/)).toContain("100.0%100.0%→ 0.0 pp"));
    const [earlier] = within(table).getAllByRole("link");
    expect(earlier?.getAttribute("href")).toMatch(/^\/posts\?from=.*&to=/);
  });

  it("chart links to a new rule with its filters", async () => {
    const now = Date.now();
    state.world.add(makePost({ id: "a", at: now - HOUR / 2 }), makePost({ id: "b", at: now - 1.5 * HOUR }));
    const { user } = open("/compare?range=1h&source=web");
    await user.click(await screen.findByRole("button", { name: "Negative" }));
    const link = screen.getByRole("link", { name: "Alert on this" });
    expect(link.getAttribute("href")).toBe("/alerts/rules/new?range=1h&sentiment=negative&source=web");
  });

  it("two empty periods show the reason", async () => {
    open("/compare");
    expect(await screen.findByText("No posts in either period")).toBeTruthy();
  });
});
