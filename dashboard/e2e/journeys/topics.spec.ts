import { expect, isLive, test, unique } from "./fixture";

test("topic is previewed, added and filters the overview", async ({ page, server }) => {
  const word = unique("acme").replaceAll("-", "");
  await server.post(
    { post_id: `${word}-0`, content: `I love the new ${word}, wonderful!` },
    { post_id: `${word}-1`, content: `The ${word} broke again, terrible` },
    { post_id: `${word}-2`, content: "Nothing of the kind" },
  );
  await page.goto("/topics");
  await page.getByRole("button", { name: "Add topic" }).click();
  const form = page.getByRole("dialog", { name: "Add topic" });
  await form.getByLabel("Name").fill(word);
  await form.getByLabel("Query").fill(`${word} (`);
  await expect(form.getByRole("alert")).toContainText("Character");
  await form.getByLabel("Query").fill(word);
  await expect(form.getByRole("region", { name: "Preview" })).toContainText("2 posts");
  await form.getByRole("button", { name: "Add topic" }).click();
  await expect(page.getByText("2 posts in total")).toBeVisible({ timeout: 60_000 });
  await page
    .getByRole("region", { name: "Share of voice as a table" })
    .getByRole("link", { name: word })
    .click();
  await expect(page).toHaveURL(new RegExp(`topic=${word}`));
  await expect(page.getByRole("link", { name: /^Posts 2/ })).toBeVisible();
  await isLive(page);
  await server.post(
    { post_id: `${word}-3`, content: "Still nothing of the kind" },
    { post_id: `${word}-4`, content: `One more about ${word}` },
  );
  await expect(page.getByText(`One more about ${word}`)).toBeVisible();
  await expect(page.getByText("Still nothing of the kind")).toHaveCount(0);
  await expect(page.getByRole("link", { name: /^Posts 3/ })).toBeVisible();
});
