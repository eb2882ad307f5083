import { type Browser, expect, type Page, test } from "@playwright/test";
import { type PreviewServer, preview } from "vite";
import { samplePosts } from "../../src/testing/sample";
import { World } from "../../src/testing/world";
import { Fake } from "../fake";
import { expectAccessible } from "../journeys/axe";
import { furnishAccounts } from "./accounts";
import { HARD, incidentOf } from "./alerts";
import { SHOTS, type Shot } from "./shots";
import { furnish } from "./world";

/** Screenshots of every view in test-results/screens: `npm run screens`. */

const SIZES = {
  wide: [1440, 900],
  tablet: [1024, 768],
  phone: [390, 844],
  large: [1920, 1080],
  huge: [2560, 1440],
} as const;
const DAY = 86_400_000;

const only = process.env.SCREENS?.split(",");

let server: PreviewServer;
let base: string;

test.beforeAll(async () => {
  server = await preview({ preview: { port: 0, host: "127.0.0.1" }, logLevel: "error" });
  base = server.resolvedUrls?.local[0] ?? "";
});
test.afterAll(() => server.close());

for (const shot of SHOTS) {
  for (const [size, [width, height]] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"] as const) {
      const name = `${shot.name}-${size}-${colorScheme}`;
      if (only && !only.some((part) => name.includes(part))) continue;
      test(name, async ({ browser }) => {
        await take(browser, shot, { width, height, colorScheme, name });
      });
    }
  }
}

interface Frame {
  width: number;
  height: number;
  colorScheme: "light" | "dark";
  name: string;
}

async function take(browser: Browser, shot: Shot, { width, height, colorScheme, name }: Frame) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-GB" });
  const page = await context.newPage();
  const breaches: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") breaches.push(message.text());
  });
  page.on("pageerror", (error) => breaches.push(String(error)));
  const world = new World();
  const span = shot.name === "compare" ? 2 * DAY : shot.path.includes("24h") ? DAY : 50 * 60_000;
  world.add(
    ...samplePosts(
      shot.posts,
      Date.now(),
      shot.posts === 1 ? 60_000 : span,
      shot.name === "hard" ? HARD : undefined,
    ),
  );
  furnish(world);
  if (shot.as) furnishAccounts(world, shot.as);
  if (["incident", "compare", "topics"].includes(shot.name)) world.insight = incidentOf;
  await new Fake(world).attach(page);
  await page.goto(new URL(shot.path, base).href);
  await page.waitForLoadState("networkidle");
  await settled(page);
  if (["posts", "live"].includes(shot.name)) await expect(page.getByRole("article").first()).toBeVisible();
  if (shot.press) {
    await page.getByRole("button", { name: shot.press }).first().click();
    for (const [label, value] of Object.entries(shot.choose ?? {}))
      await page.getByLabel(label).selectOption(value);
    await settled(page);
  }
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await page.screenshot({ path: `test-results/screens/${name}.png` });
  if (!["posts", "live", "drawer"].includes(shot.name)) {
    await page.screenshot({ path: `test-results/screens/${name}-full.png`, fullPage: true });
  }
  // Open menus are not checked: axe reports their focus guards, which are hidden from screen readers on purpose.
  if (!shot.name.startsWith("menu-")) await expectAccessible(page);
  await context.close();
  expect(sideways, "the page scrolls sideways").toBe(false);
  expect(breaches).toEqual([]);
}

/** Waits for fonts, for transitions that end, and for the layout that follows them. */
async function settled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const ending = () =>
      document
        .getAnimations()
        .filter(({ effect, playState }) => {
          return playState === "running" && effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY;
        })
        .map((animation) => animation.finished.catch(() => undefined));
    await document.fonts.ready;
    do {
      await nextFrame();
      await Promise.all(ending());
      await nextFrame();
    } while (ending().length > 0);
  });
}
