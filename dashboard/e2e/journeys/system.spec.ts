import { expect, test } from "./fixture";

test("the system says what runs", async ({ page, server }) => {
  await server.post({ post_id: `system-${Date.now()}`, content: "Something to count" });
  await page.goto("/system");
  await expect(page.getByText("Database", { exact: true })).toBeVisible();
  await expect(page.getByText("sqlite")).toBeVisible();
  await expect(page.getByText("No dead letters")).toBeVisible();
});

test("a text is judged as one types", async ({ page }) => {
  await page.goto("/try");
  await page.getByRole("textbox", { name: "Text to analyse" }).fill("What a wonderful, happy day, I love it");
  await expect(page.getByText("Positive").first()).toBeVisible();
  await expect(page.getByText(/Shaded words spoke for/)).toBeVisible({ timeout: 30_000 });
});

test("an unknown address has a way back", async ({ page }) => {
  await page.goto("/nowhere");
  await page.getByRole("link", { name: "Go to the overview" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
});
