import type { Page } from "@playwright/test";
import { expect, test, unique } from "./fixture";
import { openView, VIEWS } from "./views";

/** Keyboard, zoom, motion and right-to-left text. axe cannot check these. */

const source = unique("reach");
const ARABIC = "خدمة ممتازة وسريعة جدا، شكرا لكم";

test.beforeAll(async ({ server }) => {
  await server.post(
    { post_id: `${source}-0`, source, content: "I love this, wonderful!" },
    { post_id: `${source}-1`, source, content: ARABIC, author: "نورة" },
  );
});

for (const view of Object.keys(VIEWS)) {
  test(`${view} is reached by keyboard and focus stays visible`, async ({ page }) => {
    await openView(page, view);
    const stops = await tabStops(page);
    expect(stops.filter(({ problem }) => problem)).toEqual([]);
    expect(stops.length).toBeGreaterThan(5);
  });

  test(`${view} at 200 % zoom does not scroll sideways`, async ({ page }) => {
    // 1280 × 800 pixels at 200 %.
    await page.setViewportSize({ width: 640, height: 400 });
    await openView(page, view);
    expect(await sideways(page)).toEqual([]);
  });
}

test("reduced motion stops every animation", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await openView(page, "/posts");
  await page
    .getByRole("article")
    .first()
    .getByRole("link", { name: /open this post$/ })
    .click();
  await expect(page.getByRole("dialog", { name: "Post" })).toBeVisible();
  const moving = await page.evaluate(() =>
    document
      .getAnimations()
      .filter(({ effect }) => Number(effect?.getComputedTiming().duration ?? 0) > 0)
      .map((animation) => String((animation.effect as KeyframeEffect | null)?.target?.className)),
  );
  expect(moving).toEqual([]);
});

test("right-to-left text keeps its direction", async ({ page }) => {
  await page.goto(`/posts?source=${source}`);
  const text = page.getByRole("article").filter({ hasText: "نورة" }).locator("[dir=auto]").first();
  await expect(text).toBeVisible();
  expect(await text.evaluate((element) => getComputedStyle(element).direction)).toBe("rtl");
  await page.evaluate(() => {
    document.documentElement.dir = "rtl";
  });
  expect(await sideways(page)).toEqual([]);
});

test("post is opened by keyboard and gets the focus back", async ({ page }) => {
  await openView(page, "/posts");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator("#content")).toBeFocused();
  await page.keyboard.press("/");
  await expect(page.getByRole("searchbox", { name: "Search posts" })).toBeFocused();
  await page.keyboard.type("wonderful");
  await expect(page).toHaveURL(/q=wonderful/);
  const link = page
    .getByRole("article")
    .first()
    .getByRole("link", { name: /open this post$/ });
  await tabTo(page, link);
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog", { name: "Post" });
  await expect(drawer).toBeVisible();
  expect(await drawer.evaluate((dialog) => dialog.contains(document.activeElement))).toBe(true);
  await page.keyboard.press("Escape");
  await expect(drawer).toBeHidden();
  await expect(link).toBeFocused();
});

test("topic is added and removed by keyboard", async ({ page }) => {
  await openView(page, "/topics");
  await tabTo(page, page.getByRole("button", { name: "Add topic" }));
  await page.keyboard.press("Enter");
  const form = page.getByRole("dialog", { name: "Add topic" });
  await tabTo(page, form.getByLabel("Name", { exact: true }));
  await page.keyboard.type(source);
  await tabTo(page, form.getByLabel("Query", { exact: true }));
  await page.keyboard.type("wonderful");
  await tabTo(page, form.getByRole("button", { name: /^Add/ }));
  await page.keyboard.press("Enter");
  await expect(form).toBeHidden();
  const row = page.getByRole("listitem").filter({ hasText: source });
  await tabTo(page, row.getByRole("button", { name: "Remove" }));
  await page.keyboard.press("Enter");
  const question = page.getByRole("dialog", { name: `Remove the topic ${source}?` });
  await tabTo(page, question.getByRole("button", { name: "Remove" }));
  await page.keyboard.press("Enter");
  await expect(row).toHaveCount(0);
});

interface Stop {
  name: string;
  /** Why the element is not usable by keyboard, or `null`. */
  problem: string | null;
}

const MOST_STOPS = 80;

/** Presses Tab until the focus leaves the page, and inspects each element that gets it. */
async function tabStops(page: Page): Promise<Stop[]> {
  const stops: Stop[] = [];
  for (let n = 0; n < MOST_STOPS; n++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(inspectFocus);
    if (!stop) break;
    stops.push(stop);
  }
  return stops;
}

/** Whether the focused element is named, visible, marked and not covered. Runs in the page. */
function inspectFocus(): Stop | null {
  const element = document.activeElement;
  if (!(element instanceof HTMLElement) || element === document.body) return null;
  const name = (element.getAttribute("aria-label") ?? element.textContent ?? element.tagName)
    .trim()
    .slice(0, 60);
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const marked = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
  // The browser marks the parts of a date field itself.
  if (!marked && !element.matches("[data-base-ui-focus-guard], [aria-hidden=true], [type=datetime-local]")) {
    return { name, problem: `${element.tagName} has no focus mark` };
  }
  if (box.width === 0 || box.height === 0) return { name, problem: "is not visible" };
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  if (!inside) return { name, problem: `is outside of the window at ${box.left}, ${box.top}` };
  const [left, right] = [Math.max(0, box.left), Math.min(innerWidth, box.right)];
  const [top, bottom] = [Math.max(0, box.top), Math.min(innerHeight, box.bottom)];
  const points = [0.1, 0.5, 0.9].flatMap((x) =>
    [0.1, 0.5, 0.9].map((y) => [left + (right - left) * x, top + (bottom - top) * y] as const),
  );
  const seen = points.some(([x, y]) => {
    const top = document.elementFromPoint(x, y);
    return top !== null && (element.contains(top) || top.contains(element));
  });
  return { name, problem: seen ? null : "is covered" };
}

/** Presses Tab until the element has the focus. */
async function tabTo(page: Page, target: ReturnType<Page["locator"]>): Promise<void> {
  await target.waitFor();
  for (let n = 0; n < MOST_STOPS; n++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${target} does not get the focus`);
}

/** The elements that are wider than the window, if the page scrolls sideways. */
function sideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return [];
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1)
      .slice(0, 5)
      .map((element) => `${element.tagName} ${element.className}`);
  });
}
