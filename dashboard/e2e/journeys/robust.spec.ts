import type { Page } from "@playwright/test";
import { seeded } from "../../src/testing/sampleText";
import { expect, isLive, test, unique } from "./fixture";

const VIEWS = ["/", "/live", "/posts", "/emotions", "/topics", "/compare", "/alerts", "/system"];
const KEYS = [
  ...["range", "from", "to", "topic", "source", "sentiment", "emotion", "author", "lang", "min", "q"],
  ...["against", "sort", "post", "colour"],
];
const VALUES = [
  ...[
    "abc",
    "9y",
    "zz",
    "foo",
    "",
    " ",
    "0",
    "-1",
    "1e400",

    "null",

    "[]",
    "{}",
    "%00",
    "%",
  ],
  ...["1h", "7d", "today", "yesterday", "last-week", "1d", "negative", "joy", "0.8", "oldest", "en"],
  ...["2026-03-01T10:00:00Z", "2026-03-01", "1969-12-31T23:59:59Z", "+275760-09-13T00:00:00Z", "9999-12-31"],
  ...["2026-02-31", "1700000000", "💥", "<img src=x onerror=alert(1)>", "a".repeat(500), "../../etc", "ä ö"],
];
const CASES = 1_000;

test("random search parameters break no view", async ({ page, server }) => {
  // All cases take two minutes on a busy machine.
  test.setTimeout(600_000);
  await server.post({ post_id: unique("fuzz"), content: "One post to show" });
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  const chance = seeded(18);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)] as T;
  const urls = Array.from({ length: CASES }, () => {
    const count = 1 + Math.floor(chance() * 4);
    const params = Array.from({ length: count }, () => `${pick(KEYS)}=${encodeURIComponent(pick(VALUES))}`);
    return `${pick(VIEWS)}?${params.join("&")}`;
  });
  // The router listens to the history, so that all cases run in one page.
  for (let start = 0; start < urls.length; start += 50) {
    expect(await visit(page, urls.slice(start, start + 50))).toEqual([]);
  }
});

/** Opens URLs one after the other. Returns the URLs whose view failed. */
function visit(page: Page, urls: readonly string[]): Promise<string[]> {
  return page.evaluate(async (cases) => {
    const broken: string[] = [];
    for (const url of cases) {
      history.pushState({}, "", url);
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const text = document.querySelector("main")?.textContent ?? "";
      const whole = document.querySelector("h1") !== null && document.querySelector("nav") !== null;
      if (!whole || /NaN|Invalid Date|This view failed|undefined/.test(text)) {
        broken.push(`${url}: ${text.slice(0, 80)}`);
      }
    }
    return broken;
  }, urls);
}

test("link with unusable values shows a hint and the view", async ({ page }) => {
  for (const path of ["/?from=abc", "/posts?range=9y", "/compare?against=zz", "/emotions?sentiment=foo"]) {
    await page.goto(path);
    await expect(page.getByText(/values that cannot be used/)).toBeVisible();
    await expect(page.getByRole("main")).not.toContainText("NaN");
  }
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await expect(page.getByText(/values that cannot be used/)).toHaveCount(0);
});

test("app works while the server is down and views load later", async ({ page, server }) => {
  await server.post({ post_id: unique("stopped"), content: "Still here" });
  // Without idle preloading, views are loaded on first use.
  await page.addInitScript(() => Object.assign(window, { requestIdleCallback: () => 0 }));
  await page.goto("/live");
  await isLive(page);
  await server.stop();
  if (!process.env.SENTISTREAM_PREVIEW) {
    await page.getByRole("link", { name: "Try it" }).click();
    await expect(page.getByText("This part of the page could not be loaded")).toBeVisible();
    await expect(page.getByRole("navigation", { name: "Views" }).first()).toBeVisible();
    await server.start();
    await expect(page.getByRole("textbox", { name: "Text to analyse" })).toBeVisible({ timeout: 60_000 });
  } else {
    await page.getByRole("link", { name: "System" }).click();
    await expect(page.getByText(/Server unreachable|unavailable|reported an error/).first()).toBeVisible();
    await server.start();
    await expect(page.getByText("Database", { exact: true })).toBeVisible({ timeout: 60_000 });
  }
});

test("slow network shows the page frame before the app", async ({ page }) => {
  // The page frame needs the script of the theme, which is small.
  await page.route(/\/assets\/(?!theme-)[^/]*\.js$/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await route.continue();
  });
  await page.goto("/", { waitUntil: "commit" });
  await expect(page.getByRole("status", { name: "Loading SentiStream" })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});

test("dragging over a chart selects no text", async ({ page, server }) => {
  const source = unique("drag");
  await server.post({ post_id: `${source}-0`, source, content: "A post" });
  await page.goto(`/?source=${source}`);
  const chart = page.locator(".recharts-surface").first();
  await expect(chart).toBeVisible();
  const box = await chart.boundingBox();
  if (!box) throw new Error("the chart has no bounding box");
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height + 40, { steps: 5 });
  expect(await page.evaluate(() => getSelection()?.toString() ?? "")).toBe("");
  await page.mouse.up();
});

test("no view scrolls sideways on a phone", async ({ page, server }) => {
  await server.post({
    post_id: unique("narrow"),
    source: unique("a-source-with-a-long-name"),
    content: `${"long".repeat(60)} https://example.org/${"path/".repeat(30)}`,
  });
  await page.setViewportSize({ width: 390, height: 844 });
  const custom = "/?from=2026-01-31T22:10:00.000Z&to=2026-02-01T23:10:00.000Z&source=web";
  const others = ["/alerts/rules", "/alerts/rules/new", "/alerts/routes", "/sources", "/try"];
  for (const view of [...VIEWS, ...others, custom]) {
    await page.goto(view);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await page.waitForLoadState("networkidle");
    expect(await page.evaluate(() => document.documentElement.scrollWidth), view).toBeLessThanOrEqual(390);
  }
});

test("custom range keeps the bar on one line", async ({ page, server }) => {
  await server.post({ post_id: unique("bar"), content: "A post" });
  await page.setViewportSize({ width: 1440, height: 900 });
  const bar = page.getByRole("banner");
  const height = async (path: string) => {
    await page.goto(path);
    await expect(page.getByRole("link", { name: /^Posts / })).toBeVisible();
    return (await bar.boundingBox())?.height;
  };
  const preset = await height("/?range=1h");
  expect(await height("/?from=2026-01-31T22:10:00.000Z&to=2026-02-01T23:10:00.000Z&source=web")).toBe(preset);
});
