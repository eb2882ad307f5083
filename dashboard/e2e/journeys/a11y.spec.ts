import { expectAccessible } from "./axe";
import { expect, test, unique } from "./fixture";
import { openView, VIEWS } from "./views";

// Playwright splits these tests between its workers. Each worker has its own server and posts.
test.describe.configure({ mode: "parallel" });

const source = unique("a11y");

test.beforeAll(async ({ server }) => {
  const texts = [
    "I love this, wonderful!",
    "This is terrible, I hate it.",
    "The meeting is at ten.",
    "I am so scared",
  ];
  await server.post(
    ...texts.map((content, n) => ({
      post_id: `${source}-${n}`,
      source,
      content: `${content} https://example.org #tag`,
    })),
  );
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const view of Object.keys(VIEWS)) {
    for (const size of [
      { width: 1440, height: 900 },
      { width: 360, height: 740 },
    ]) {
      test(`${view} in ${colorScheme} at ${size.width} px passes axe`, async ({ page }) => {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await openView(page, view);
        await expectAccessible(page);
      });
    }
  }
  test(`post drawer in ${colorScheme} passes axe`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto(`/posts?post=${source}-0`);
    await expect(page.getByText("Emotion scores")).toBeVisible();
    await expectAccessible(page);
  });
}

test("theme is chosen by keyboard and kept after a reload", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.getByRole("button", { name: "Theme" }).focus();
  await page.keyboard.press("Enter");
  const themes = page.getByRole("menuitemradio");
  for (const name of ["System", "Light", "Dark"]) {
    if (name !== "System") await page.keyboard.press("ArrowDown");
    await expect(themes.filter({ hasText: name })).toBeFocused();
  }
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
