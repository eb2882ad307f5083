import { expect, test } from "./fixture";

test("system shows services", async ({ page, server }) => {
  await server.post({ post_id: `system-${Date.now()}`, content: "Something to count" });
  await page.goto("/system");
  await expect(page.getByText("Database", { exact: true })).toBeVisible();
  await expect(page.getByText("sqlite")).toBeVisible();
  await expect(page.getByText("No dead letters")).toBeVisible();
});

test("typed text is analysed", async ({ page }) => {
  await page.goto("/try");
  await page.getByRole("textbox", { name: "Text to analyse" }).fill("What a wonderful, happy day, I love it");
  await expect(page.getByText("Positive").first()).toBeVisible();
  await expect(page.getByText(/Shaded words support/)).toBeVisible({ timeout: 30_000 });
});

test("unknown path links to the overview", async ({ page }) => {
  await page.goto("/nowhere");
  await page.getByRole("link", { name: "Go to the overview" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});
