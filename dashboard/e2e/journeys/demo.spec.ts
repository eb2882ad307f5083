import { test as base, expect } from "@playwright/test";
import { Server } from "../server";

/** A server that has just been started for the first time. */
const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server([
        'ingester.sources=["synthetic"]',
        "ingester.demo=on",
        "ingester.demo_posts=12000",
      ]);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

test.describe.configure({ mode: "serial" });

test("first start shows demo posts, topics and alerts", async ({ page, server }) => {
  test.setTimeout(240_000);
  await page.goto("/");
  const waits = page.getByText("Analysing a week of demo posts");
  await expect(waits.or(page.getByRole("button", { name: "Remove demo data" }))).toBeVisible();
  await expect(page.getByRole("button", { name: "Remove demo data" })).toBeVisible({ timeout: 200_000 });
  // No range was chosen, so the page chooses one that fits the posts.
  await expect(page.getByRole("button", { name: "24 h" })).toHaveAttribute("aria-pressed", "true");
  await page.goto("/topics");
  await expect(page.getByText("No posts match a topic")).toBeHidden();
  const demo = (await (await server.call("/api/demo")).json()) as { topics: string[]; rules: string[] };
  expect(demo.topics).toHaveLength(3);
  await expect(page.getByText(demo.topics[0] ?? "", { exact: true }).first()).toBeVisible();
  await page.goto("/alerts");
  // The first rule watches the topic of the current incident.
  await expect(page.getByRole("link", { name: demo.rules[0] ?? "" }).first()).toBeVisible();
});

test("demo data is removed with one confirmed click", async ({ page }) => {
  test.setTimeout(120_000);
  await page.goto("/");
  await page.getByRole("button", { name: "Remove demo data" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove demo data" }).click();
  await expect(page.getByText("Removing the demo posts")).toBeVisible();
  await expect(page.getByText("Removing the demo posts")).toBeHidden({ timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Remove demo data" })).toBeHidden();
  await page.goto("/posts");
  await expect(page.getByRole("article")).toHaveCount(0);
});
