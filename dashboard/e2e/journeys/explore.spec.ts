import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, isLive, test, unique } from "./fixture";

test("key figure links to its posts and Back returns", async ({ page, server }) => {
  const source = unique("drill");
  await server.post(
    { post_id: `${source}-0`, source, content: "I love this, it is wonderful" },
    { post_id: `${source}-1`, source, content: "This is terrible and I hate it" },
  );
  // Without a range in the URL the range depends on the posts of other tests.
  await page.goto(`/?source=${source}&range=1h`);
  await page.getByRole("link", { name: /^Negative 50/ }).click();
  await expect(page).toHaveURL(new RegExp(`/posts\\?range=1h&source=${source}&sentiment=negative$`));
  await expect(page.getByText("This is terrible")).toBeVisible();
  await expect(page.getByText("I love this")).toHaveCount(0);
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Posts 2/ })).toBeVisible();
});

test("chart click opens the posts of the bucket", async ({ page, server }) => {
  const source = unique("chart");
  const MINUTE = 60_000;
  // A past range has fixed buckets.
  const end = Math.floor(Date.now() / MINUTE) * MINUTE;
  const iso = (minutesAgo: number) => new Date(end - minutesAgo * MINUTE).toISOString();
  await server.post({ post_id: `${source}-0`, source, content: "In this bucket", created_at: iso(7.5) });
  await page.goto(`/?source=${source}&from=${iso(15)}&to=${iso(0)}`);
  const chart = page
    .getByRole("region", { name: /^Sentiment over time/ })
    .locator(".recharts-surface")
    .first();
  await expect(chart).toBeVisible();
  const only = page.locator("dd", { hasText: /^1 · 100/ });
  let left = 0;
  await expect(async () => {
    const box = await chart.boundingBox();
    if (!box) throw new Error("the chart has no bounding box yet");
    left = left + 12 < box.width ? left + 12 : 12;
    await page.mouse.move(box.x + left, box.y + box.height / 2);
    await drawn(page);
    expect(await only.isVisible()).toBe(true);
  }).toPass({ intervals: [0], timeout: 60_000 });
  await page.mouse.down();
  await page.mouse.up();
  await expect(page).toHaveURL(
    ({ pathname, searchParams }) =>
      pathname === "/posts" && searchParams.get("from") === iso(8) && searchParams.get("to") === iso(7),
  );
  // The overview is removed when the posts are rendered.
  await expect(page.getByRole("region", { name: "Top posts" })).toBeHidden();
  await expect(page.getByText("In this bucket")).toBeVisible();
});

/** Waits two frames, because the chart handles pointer events once per frame. */
async function drawn(page: Page): Promise<void> {
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
  );
}

test("shared link restores view, filters and post", async ({ page, server }) => {
  const source = unique("link");
  const id = `at://did:x/${source}`;
  await server.post({ post_id: id, source, content: "A post worth sharing", author: "ada" });
  await page.goto(`/posts?range=24h&source=${source}&q=worth+sharing`);
  await page.getByRole("link", { name: /open this post$/ }).click();
  const drawer = page.getByRole("dialog", { name: "Post" });
  await expect(drawer.getByText("Emotion scores")).toBeVisible();
  const shared = page.url();
  expect(shared).toContain("post=");
  const other = await page.context().newPage();
  await other.goto(shared);
  await expect(other.getByRole("dialog", { name: "Post" }).getByText("A post worth sharing")).toBeVisible();
  await other.keyboard.press("Escape");
  await expect(other.getByRole("searchbox", { name: "Search posts" })).toHaveValue("worth sharing");
  await expect(other.getByRole("button", { name: "24 h" })).toHaveAttribute("aria-pressed", "true");
  await other.close();
});

test("export contains the posts of the list", async ({ page, server }) => {
  const source = unique("export");
  const posts = Array.from({ length: 7 }, (_, n) => ({
    post_id: `${source}-${n}`,
    source,
    content: n === 3 ? 'Quotes " and, commas\nand lines' : `Post number ${n}`,
  }));
  await server.post(...posts);
  await page.goto(`/posts?range=24h&source=${source}`);
  await expect(page.getByText("7 posts")).toBeVisible();
  for (const [choice, parse] of [
    [
      "NDJSON, one post per line",
      (text: string) =>
        text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line).post_id),
    ],
    [
      "CSV, for spreadsheets",
      (text: string) => [...text.matchAll(new RegExp(`${source}-\\d`, "g"))].map(([id]) => id),
    ],
  ] as const) {
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("menuitem", { name: choice }).click(),
    ]);
    const text = readFileSync(await download.path(), "utf8");
    expect(new Set(parse(text))).toEqual(new Set(posts.map(({ post_id }) => post_id)));
  }
});

test("search works by keyboard and filters can be cleared", async ({ page, server }) => {
  const source = unique("search");
  await server.post(
    { post_id: `${source}-0`, source, content: "Rain over the harbour" },
    { post_id: `${source}-1`, source, content: "Sunshine over the harbour" },
  );
  await page.goto(`/posts?range=24h&source=${source}`);
  await expect(page.getByText("Rain over")).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type("SUNSHINE harbour");
  await expect(page.getByText("Rain over")).toHaveCount(0);
  await expect(page.getByText("Sunshine over")).toBeVisible();
  await page.getByRole("searchbox").blur();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.getByRole("searchbox").fill("nothing like this");
  await expect(page.getByText("No posts match")).toBeVisible();
  await page.getByRole("main").getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL(/\/posts\?range=24h$/);
});

test("search words apply to figures and order to the list", async ({ page, server }) => {
  const source = unique("narrow");
  const minute = (n: number) => new Date(Date.now() - n * 60_000).toISOString();
  await server.post(
    { post_id: `${source}-0`, source, content: "I love the harbour, wonderful!", created_at: minute(3) },
    { post_id: `${source}-1`, source, content: "I hate the station, terrible", created_at: minute(2) },
    { post_id: `${source}-2`, source, content: "I hate the harbour, terrible", created_at: minute(1) },
  );
  await page.goto(`/?source=${source}`);
  await expect(page.getByRole("link", { name: /^Posts 3/ })).toBeVisible();
  await page.getByRole("searchbox", { name: "Search posts" }).fill("harbour");
  await expect(page.getByRole("link", { name: /^Posts 2/ })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Negative 50/ })).toBeVisible();
  const day = page.getByRole("region", { name: /^Distribution/ });
  await expect(day.getByRole("link", { name: /^Positive 1 50/ })).toBeVisible();
  await page.goto(`/posts?source=${source}`);
  await expect(page.getByText("I hate the station")).toBeVisible();
  await page.getByRole("button", { name: "Order: Newest first" }).click();
  await page.getByRole("menuitemradio", { name: "Oldest first" }).click();
  await expect(page.getByRole("article").first()).toContainText("I love the harbour");
  await expect(page).toHaveURL(/sort=oldest/);
});

test("deleted post disappears from every list", async ({ page, server }) => {
  const source = unique("delete");
  await server.post({ post_id: `${source}-0`, source, content: "Soon gone" });
  const watcher = await page.context().newPage();
  await watcher.goto(`/live?source=${source}`);
  await isLive(watcher);
  await expect(watcher.getByText("Soon gone")).toBeVisible();
  await page.goto(`/posts?range=24h&source=${source}&post=${source}-0`);
  const drawer = page.getByRole("dialog", { name: "Post" });
  await drawer.getByRole("button", { name: "Delete" }).click();
  await page
    .getByRole("dialog", { name: "Delete this post?" })
    .getByRole("button", { name: "Delete" })
    .click();
  await expect(page.getByText("No posts match")).toBeVisible();
  await expect(watcher.getByText("Soon gone")).toHaveCount(0);
  await watcher.close();
});
