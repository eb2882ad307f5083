import { type Browser, expect, test } from "@playwright/test";
import { type PreviewServer, preview } from "vite";
import { samplePosts } from "../src/testing/sample";
import { World } from "../src/testing/world";
import { Fake } from "./fake";

/** Pictures of every view to look at: `npx playwright test --project screens`. They land in test-results/screens. */

const SIZES = { wide: [1440, 900], tablet: [1024, 768], phone: [390, 844] } as const;
const DAY = 86_400_000;

const only = process.env.SCREENS?.split(",");

let server: PreviewServer;
let base: string;

test.beforeAll(async () => {
  server = await preview({ preview: { port: 0, host: "127.0.0.1" }, logLevel: "error" });
  base = server.resolvedUrls?.local[0] ?? "";
});
test.afterAll(() => server.close());

interface Shot {
  name: string;
  path: string;
  posts: number;
}

const SHOTS: Shot[] = [
  { name: "overview-0", path: "/", posts: 0 },
  { name: "overview-1", path: "/", posts: 1 },
  { name: "overview-50", path: "/", posts: 50 },
  { name: "overview-many", path: "/?range=24h", posts: 20_000 },
  { name: "live", path: "/live", posts: 200 },
  { name: "posts", path: "/posts?range=24h", posts: 5_000 },
];

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
  const span = shot.path.includes("24h") ? DAY : 50 * 60_000;
  world.add(...samplePosts(shot.posts, Date.now(), shot.posts === 1 ? 60_000 : span));
  await new Fake(world).attach(page);
  await page.goto(new URL(shot.path, base).href);
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(400);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await page.screenshot({ path: `test-results/screens/${name}.png` });
  if (shot.name.startsWith("overview")) {
    await page.screenshot({ path: `test-results/screens/${name}-full.png`, fullPage: true });
  }
  await context.close();
  expect(sideways, "the page scrolls sideways").toBe(false);
  expect(breaches).toEqual([]);
}
