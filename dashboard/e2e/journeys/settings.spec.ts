import { expect, test } from "./fixture";

test("setting refuses an invalid value, is changed and undone", async ({ page, server }) => {
  await page.goto("/settings/configuration");
  await page.getByLabel("Search settings").fill("negative_share");
  const row = page.locator('[id="alerts.negative_share"]');
  await row.getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog", { name: "alerts.negative_share" });
  await dialog.getByLabel("Value").fill("7");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByText("Must be between 0 and 1, is 7.")).toBeVisible();
  await dialog.getByLabel("Value").fill("0.7");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toBeHidden();
  await expect(row.getByText("Changed here by local")).toBeVisible();
  const stored = await (await server.call("/api/settings/alerts.negative_share")).json();
  expect(stored.value).toBe(0.7);
  await page.reload();
  await page.getByRole("button", { name: "Changed", exact: true }).click();
  await row.getByRole("button", { name: "Undo" }).click();
  await expect(row).toBeHidden();
  const undone = await (await server.call("/api/settings/alerts.negative_share")).json();
  expect(undone.value).toBe(0.5);
});

test("backup is made and downloaded", async ({ page }) => {
  await page.goto("/settings/maintenance");
  await page.getByRole("button", { name: "Back up now" }).click();
  const download = page.getByRole("button", { name: /^Download sentistream-/ });
  await expect(download).toBeVisible();
  const saved = page.waitForEvent("download");
  await download.click();
  expect((await saved).suggestedFilename()).toMatch(/^sentistream-\d{8}T\d{6}Z\.db$/);
  await expect(page.getByText("up to date")).toBeVisible();
});
