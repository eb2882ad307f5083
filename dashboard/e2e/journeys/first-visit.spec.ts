import { test as base, expect } from "@playwright/test";
import { Server } from "../server";

/** A server with synthetic posts, as after the first start. */
const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(['ingester.sources=["synthetic"]']);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

test("first visit shows live posts and the demo notice", async ({ page, server }) => {
  await page.goto("/");
  const feed = page.getByRole("region", { name: "Newest posts" });
  const newest = feed.getByRole("link", { name: /open this post$/ }).first();
  await expect(newest).toBeVisible();
  const address = (await newest.getAttribute("href")) ?? "";
  await expect(newest).not.toHaveAttribute("href", address);
  await expect(page.getByText("These posts are made up")).toBeVisible();
  await page.getByRole("link", { name: "Connect a real source" }).click();
  const own = page.getByRole("region", { name: "Send posts yourself" });
  await expect(own).toContainText("/api/posts");
  await expect(own).toContainText("sentistream import");
  await page.getByRole("button", { name: "Add source" }).click();
  const options = page.getByLabel("Kind", { exact: true }).getByRole("option");
  const { kinds } = (await (await server.call("/api/sources/kinds")).json()) as {
    kinds: { title: string }[];
  };
  await expect(options).toHaveText(kinds.map(({ title }) => title));
  const offered = await options.allTextContents();
  for (const kind of ["Bluesky", "Feeds and web pages", "Mastodon", "Hacker News", "Reddit"]) {
    expect(offered).toContain(kind);
  }
});

test("reduced motion disables animations", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto("/");
  await expect(page.getByRole("article").first()).toBeVisible();
  const moving = await page.evaluate(
    () => document.getAnimations().filter(({ effect }) => Number(effect?.getTiming().duration) > 0).length,
  );
  expect(moving).toBe(0);
});
