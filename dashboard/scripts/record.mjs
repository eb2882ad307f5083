// Takes the pictures of the README from a running demonstration: node scripts/record.mjs URL FOLDER. Called by scripts/record.
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { animate } from "./webp.mjs";

const [url, folder] = process.argv.slice(2);
if (!url || !folder) throw new Error("usage: node scripts/record.mjs URL FOLDER");

const SIZE = { width: 1440, height: 900 };
/** The size of the recording. */
const SMALL = { width: 1080, height: 675 };
const MOST_BYTES = 3_000_000;
const READY_MS = 600_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--no-first-run"],
});
const context = await browser.newContext({
  viewport: SIZE,
  colorScheme: "light",
  reducedMotion: "reduce",
  locale: "en-GB",
  timezoneId: "UTC",
});
const page = await context.newPage();
/** The page that converts PNG to WebP. */
const encoder = await context.newPage();
const frames = [];

await untilReady();
await visit("/");
// The picture must not show the notice about synthetic posts.
await page.getByRole("button", { name: "Dismiss" }).click();
await settle();
await page.screenshot({ path: join(folder, "overview.png") });
await keep(2_600);
const demo = await (await fetch(`${url}/api/demo`)).json();
await visit(`/?topic=${encodeURIComponent(demo.topics[0])}&range=1h`);
await keep(2_400);
await visit("/live");
for (let shot = 0; shot < 4; shot++) {
  await keep(700);
  await page.waitForTimeout(900);
}
await visit("/posts?sentiment=negative");
await keep(1_800);
await page
  .getByRole("link", { name: /open this post$/ })
  .first()
  .click();
await settle();
await keep(2_600);
await visit("/emotions?range=24h");
await keep(2_400);
await visit("/topics?range=7d");
await keep(2_400);
await visit("/compare");
await keep(2_000);
await visit("/alerts");
await keep(1_800);
// Which rule of the demonstration has an alert depends on the time of day.
const names = demo.rules.map((name) => name.replace(/[^\w\s]/g, "\\$&"));
const alert = page.getByRole("link", { name: new RegExp(names.join("|")) }).first();
await visit(await alert.getAttribute("href"));
await keep(2_800);
await visit("/sources");
await page.getByRole("button", { name: "Add source" }).click();
const form = page.getByRole("dialog", { name: "Add source" });
await form.getByLabel("Address", { exact: true }).fill("@ada@mastodon.social");
await form.getByRole("button", { name: "Find" }).click();
await page.waitForFunction(() => document.querySelector("[role=dialog] textarea")?.value !== "");
await settle();
await keep(2_600);
await visit("/try");
await page.getByRole("textbox").first().fill("The battery is great, but support never answers");
await settle();
await keep(2_600);

const tour = animate(frames, SMALL);
writeFileSync(join(folder, "tour.webp"), tour);
await browser.close();
const kilobytes = (path) => `${Math.round(statSync(join(folder, path)).size / 1_000)} kB`;
console.log(
  `overview.png ${kilobytes("overview.png")}, tour.webp ${kilobytes("tour.webp")}, ${frames.length} frames`,
);
if (tour.length > MOST_BYTES) throw new Error(`tour.webp has ${tour.length} bytes, more than ${MOST_BYTES}`);

async function untilReady() {
  const end = Date.now() + READY_MS;
  while (Date.now() < end) {
    const demo = await (await fetch(`${url}/api/demo`)).json();
    if (demo.state === "ready") return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("the demonstration was not ready in time");
}

async function visit(path) {
  await page.goto(`${url}${path}`);
  await settle();
}

/** Waits until the view has loaded its data. */
async function settle() {
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.waitForTimeout(900);
}

/** Adds a picture of the page to the recording, which shows it for `ms` milliseconds. */
async function keep(ms) {
  const png = (await page.screenshot()).toString("base64");
  const base64 = await encoder.evaluate(
    async ({ png, width, height }) => {
      const picture = new Image();
      picture.src = `data:image/png;base64,${png}`;
      await picture.decode();
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width, height });
      const pen = canvas.getContext("2d", { alpha: false });
      pen.imageSmoothingQuality = "high";
      pen.drawImage(picture, 0, 0, width, height);
      return canvas.toDataURL("image/webp", 0.82).split(",")[1];
    },
    { png, ...SMALL },
  );
  frames.push({ webp: Buffer.from(base64, "base64"), ms });
}
