import { expect, it } from "vitest";
import { makePost, World } from "@/testing/world";
import { compare } from "./metrics";
import { MINUTE, windowOf } from "./range";
import { reportOf } from "./report";

it("report contains figures, changes, filter and link", () => {
  const now = Date.parse("2026-03-10T14:25:30Z");
  const window = windowOf({ range: "15m" }, now);
  const world = new World();
  world.add(
    makePost({ id: "a", at: now - MINUTE, sentiment: "negative", emotion: "anger" }),
    makePost({ id: "b", at: now - MINUTE }),
    makePost({ id: "c", at: now - 20 * MINUTE }),
  );
  const query = new URLSearchParams({
    period: "minute",
    start_date: new Date(window.before).toISOString(),
    end_date: new Date(window.end).toISOString(),
  });
  const report = reportOf({
    data: compare(world.aggregate(query), window, now),
    search: { range: "15m", topic: "acme" },
    url: "https://example.org/?topic=acme",
    findings: ["Acme turned negative."],
  });
  expect(report).toContain("## Sentiment, last 15 min\n\nFilter: topic: acme\n\nAcme turned negative.");
  expect(report).toContain("| Posts | 2 | +100.0% |");
  expect(report).toContain("| Negative | 50.0% | +50.0 pp |");
  expect(report).toContain("Top emotions: anger 50.0%, joy 50.0%");
  expect(report).toContain("[Open in SentiStream](https://example.org/?topic=acme)");
});
