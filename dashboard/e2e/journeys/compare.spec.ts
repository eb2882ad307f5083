import { expect, test, unique } from "./fixture";

test("comparison of two days is kept in the URL", async ({ page, server }) => {
  const source = unique("compare");
  const now = Date.now();
  const post = (n: number, age: number, content: string) => ({
    post_id: `${source}-${n}`,
    source,
    content,
    created_at: new Date(now - age).toISOString(),
  });
  const HOUR = 3_600_000;
  await server.post(
    post(1, HOUR / 4, "This is terrible, I hate it."),
    post(2, HOUR / 4, "Awful, broken and rude."),
    post(3, 24 * HOUR + HOUR / 4, "I love this, wonderful!"),
  );
  await page.goto(`/compare?source=${source}&range=1h`);
  const table = page.getByRole("region", { name: "What changed" });
  await expect(table.getByRole("row", { name: /^Posts/ })).toContainText("Posts02–");
  await expect(page.getByText(/nothing to compare with/)).toBeVisible();
  await page.getByRole("button", { name: "Day on day" }).click();
  await expect(page).toHaveURL(/against=1d/);
  await expect(table.getByRole("row", { name: /^Posts/ })).toContainText("↑ +100.0%");
  await expect(table.getByRole("row", { name: /Positive/ })).toContainText("↓ −100.0 pp");
  await page.reload();
  await expect(table.getByRole("row", { name: /Positive/ })).toContainText("↓ −100.0 pp");
  await table
    .getByRole("row", { name: /^Posts/ })
    .getByRole("link")
    .first()
    .click();
  await expect(page.getByText("I love this, wonderful!")).toBeVisible();
  await expect(page.getByRole("article")).toHaveCount(1);
});
