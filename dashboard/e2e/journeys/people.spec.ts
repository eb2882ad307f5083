import { test as base, expect, type Page } from "@playwright/test";
import { fireAlert } from "../alert";
import { Server } from "../server";
import { unique } from "./fixture";

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(['alerts.interval="1s"', 'outbound.allow=["127.0.0.1"]']);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

const HOUR = 3_600_000;
const iso = (age: number) => new Date(Date.now() - age).toISOString();

test("analyst finds the change, inspects posts and copies a report", async ({ browser, server }) => {
  const source = unique("analyst");
  const post = (n: number, age: number, content: string) => ({
    post_id: `${source}-${n}`,
    source,
    content: `${content} (${n})`,
    created_at: iso(age),
  });
  await server.post(
    ...Array.from({ length: 40 }, (_, n) => post(n, 1.6 * HOUR - n * 1_000, "I love this, wonderful!")),
    ...Array.from({ length: 40 }, (_, n) =>
      post(n + 40, 0.4 * HOUR - n * 1_000, "Terrible, I hate this, I am angry."),
    ),
  );
  const context = await browser.newContext({
    baseURL: server.page,
    permissions: ["clipboard-read", "clipboard-write"],
    timezoneId: "UTC",
    locale: "en-GB",
  });
  const page = await context.newPage();
  const started = Date.now();
  await page.goto(`/?source=${source}&range=1h`);
  const happened = page.getByRole("region", { name: "What happened" });
  await expect(happened).toContainText(/(Negative posts rose|Positive posts fell) from/);
  await page.getByRole("button", { name: "Copy as report" }).click();
  await page.getByRole("menuitem", { name: "Markdown" }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/## Sentiment, last 1 h[\s\S]*posts (rose|fell) from[\s\S]*\| Negative \|/);
  await page.getByRole("button", { name: "Copy as report" }).click();
  await page.getByRole("menuitem", { name: "Picture of the chart" }).click();
  await expect
    .poll(() => page.evaluate(async () => (await navigator.clipboard.read())[0]?.types.join()))
    .toBe("image/png");
  await happened.getByRole("link", { name: "Show posts" }).first().click();
  await expect(page.getByRole("img", { name: /^Posts over time\. Most:/ })).toBeVisible();
  const rows = page.getByRole("region", { name: "Posts", exact: true }).getByRole("article");
  await rows
    .first()
    .getByRole("link", { name: /open this post$/ })
    .click();
  const drawer = page.getByRole("dialog", { name: "Post" });
  await expect(drawer.getByText("Emotion scores")).toBeVisible();
  const first = page.url();
  await drawer.getByRole("button", { name: "Next post" }).click();
  await expect(page).not.toHaveURL(first);
  await page.keyboard.press("k");
  await expect(page).toHaveURL(first);
  await page.keyboard.press("Escape");
  for (const name of ["Today", "Yesterday", "Previous week"]) {
    await page.getByRole("button", { name: /^More ranges/ }).click();
    await page.getByRole("button", { name, exact: true }).click();
    await expect(page.getByRole("button", { name: `More ranges: ${name}` })).toBeVisible();
  }
  report("analyst", started);
  await context.close();
});

test("on-call engineer handles an alert on a phone", async ({ browser, server }) => {
  const source = unique("oncall");
  await fireAlert(server, source);
  const context = await browser.newContext({
    baseURL: server.page,
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    locale: "en-GB",
  });
  const page = await context.newPage();
  await page.goto("/alerts");
  await expect(page.getByRole("button", { name: "24 h" })).toHaveAttribute("aria-pressed", "true");
  const row = page.getByRole("link", { name: /Angry checkout/ }).first();
  await expect(row).toBeVisible({ timeout: 60_000 });
  await expect(row).toContainText("Critical");
  const started = Date.now();
  await row.click();
  const figures = page.getByRole("region", { name: "Key figures" });
  await expect(figures).toContainText(/100\.0%/);
  await expect(figures).toContainText("limit 50.0%");
  await expect(page.locator("blockquote")).toContainText("checkout is broken");
  const acknowledge = page.getByRole("button", { name: "Acknowledge" });
  const box = await acknowledge.boundingBox();
  expect(box && box.y + box.height).toBeLessThanOrEqual(844);
  expect(box?.width).toBeGreaterThan(340);
  expect(await tooSmall(page)).toEqual([]);
  await acknowledge.click();
  await expect(page.getByText("Acknowledged on this computer")).toBeVisible();
  await page.getByRole("button", { name: "Silence 1 h" }).click();
  await expect(page.getByRole("button", { name: /^Silenced until/ })).toBeVisible();
  report("on call", started);
  for (const path of [
    "/alerts",
    "/alerts/silences",
    "/alerts/receivers",
    "/alerts/routes",
    "/alerts/rules",
  ]) {
    await page.goto(path);
    await expect(page.getByRole("navigation", { name: "Alerts" })).toBeVisible();
    await page.waitForLoadState("networkidle");
    expect(await tooSmall(page), path).toEqual([]);
  }
  await page.goto("/alerts/receivers");
  await page.getByRole("button", { name: "Add receiver" }).click();
  await expect(page.getByRole("dialog", { name: "Add receiver" })).toBeVisible();
  expect(await tooSmall(page), "the form of a receiver").toEqual([]);
  await context.close();
});

const TARGETS = [
  ...["main button", "nav a", "nav button", "main li > a", "main summary", "[role=dialog] button"],
  ...["[role=dialog] summary", "[role=dialog] select", "[role=dialog] label:has(> input)"],
  ...["[role=dialog] input:not([type=checkbox])", "main select", "main input:not([type=checkbox])"],
].join();

/** The visible controls of the view that are too small for touch. */
function tooSmall(page: Page): Promise<string[]> {
  return page.evaluate(
    (targets) =>
      [...document.querySelectorAll(targets)].flatMap((element) => {
        const { width, height } = element.getBoundingClientRect();
        const shown = width > 0 && height > 0;
        return shown && (height < 44 || width < 44)
          ? [`${element.textContent} ${Math.round(width)}×${Math.round(height)}`]
          : [];
      }),
    TARGETS,
  );
}

test("new user follows a brand and gets topic, rules and a source", async ({ page, server }) => {
  const word = unique("brand").replaceAll("-", " ");
  await server.post(
    { post_id: `${word}-1`, content: `I love my new ${word}, wonderful!` },
    { post_id: `${word}-2`, content: `The ${word} broke again, terrible` },
  );
  const started = Date.now();
  await page.goto("/topics");
  await page.getByRole("button", { name: "Follow a brand" }).first().click();
  const form = page.getByRole("dialog", { name: "Follow a brand" });
  await form.getByLabel("Brand, product or person").fill(word);
  await expect(form.getByRole("region", { name: "Preview" })).toContainText("2 posts");
  // Tests send no requests to other machines.
  await form.getByLabel(/^Bluesky/).uncheck();
  await form.getByLabel(/^News/).uncheck();
  await form.getByRole("button", { name: "Follow", exact: true }).click();
  await expect(form.getByText(`You follow ${word}`)).toBeVisible();
  await expect(form.getByRole("link", { name: "Add a source" })).toBeVisible();
  await form.getByRole("link", { name: "Open overview" }).click();
  await expect(page).toHaveURL(new RegExp(`topic=${word.replaceAll(" ", "-")}`));
  await expect(page.getByRole("link", { name: /^Posts 2/ })).toBeVisible({ timeout: 60_000 });
  report("newcomer", started);
  await page.getByRole("link", { name: "Alert on this" }).click();
  await expect(page.getByLabel("Topic")).toHaveValue(word.replaceAll(" ", "-"));
  await page.getByRole("button", { name: /^Unusually many posts/ }).click();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Unusually many posts");
  await page.goto("/alerts/rules");
  await expect(page.getByText(`${word}: Sentiment turns negative`)).toBeVisible();
  await expect(page.getByText(`${word}: Unusually many posts`)).toBeVisible();
});

function report(person: string, started: number): void {
  // biome-ignore lint/suspicious/noConsole: times of journeys are printed to the log
  console.log(`${person}: ${Date.now() - started} ms`);
}
