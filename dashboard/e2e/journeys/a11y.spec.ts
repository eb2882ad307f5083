import { violations } from "./axe";
import { expect, test, unique } from "./fixture";

const VIEWS = [
  ...["/", "/live", "/posts", "/emotions", "/topics", "/alerts", "/alerts/silences", "/alerts/receivers"],
  ...["/alerts/routes", "/compare", "/system", "/try"],
];

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
  for (const view of VIEWS) {
    for (const size of [
      { width: 1440, height: 900 },
      { width: 360, height: 740 },
    ]) {
      test(`axe finds nothing on ${view} in ${colorScheme} at ${size.width}`, async ({ page }) => {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.goto(view);
        await page.waitForLoadState("networkidle");
        expect(await violations(page)).toEqual([]);
        const sideways = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
        expect(sideways, "the page scrolls sideways").toBe(false);
      });
    }
  }
  test(`axe finds nothing in the drawer in ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.goto(`/posts?post=${source}-0`);
    await expect(page.getByText("Emotion scores")).toBeVisible();
    expect(await violations(page)).toEqual([]);
  });
}

test("everything is reachable by keyboard, and the theme can be chosen", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.getByRole("button", { name: "Theme" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitemradio", { name: "Dark" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
