import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test as base, expect, type Page } from "@playwright/test";
import { Server } from "../server";
import { expectAccessible } from "./axe";

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(['outbound.allow=["127.0.0.1"]', 'alerts.interval="1s"']);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});
test.describe.configure({ mode: "serial" });

const BAD = [
  "The checkout is broken again, this is terrible!",
  "I hate that the checkout fails every single time.",
  "Checkout broken, support is awful and rude.",
  "Worst checkout ever, I am so angry about it.",
  "The checkout is broken again, this is terrible, really!",
];
let page: Page;

test.beforeAll(async ({ browser, server }) => {
  page = await browser.newPage({ baseURL: server.page });
});
test.afterAll(() => page.close());

test("receiver, mute timing and route are added and tested", async () => {
  const hook = createServer((_request, response) => response.end("thank you"));
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  hook.unref();
  const { port } = hook.address() as AddressInfo;
  await page.goto("/alerts/receivers");
  await page.getByRole("button", { name: "Add receiver" }).click();
  const receiver = page.getByRole("dialog", { name: "Add receiver" });
  await receiver.getByLabel("Channel").selectOption("webhook");
  await receiver.getByLabel("Name", { exact: true }).fill("on-call");
  await receiver.getByLabel("URL", { exact: true }).fill(`http://127.0.0.1:${port}/`);
  await receiver.getByRole("button", { name: "Add", exact: true }).click();
  await expect(receiver).toBeHidden();

  await page.getByRole("link", { name: "Routes" }).click();
  await expect(page.getByText(/^● Dashboard only/)).toBeVisible();
  await page.getByRole("button", { name: "Add mute timing" }).click();
  const muting = page.getByRole("dialog", { name: "Add mute timing" });
  await muting.getByLabel("Name").fill("christmas-mornings");
  await muting.getByLabel("Time zone").fill("Mars/Olympus");
  await muting.getByRole("button", { name: "Add", exact: true }).click();
  await expect(muting.getByText(/^▼/)).toBeVisible();
  await muting.getByLabel("Time zone").fill("Europe/Zurich");
  await muting.getByRole("button", { name: "Mon" }).click();
  await muting.getByRole("button", { name: "Add", exact: true }).click();
  await expect(muting).toBeHidden();
  await expect(page.getByText("Mon, 22:00–07:00 (next day)")).toBeVisible();

  await page.getByRole("button", { name: "Add route" }).click();
  const route = page.getByRole("dialog", { name: "Add route" });
  await route.getByLabel("Name").fill("critical-to-on-call");
  await route.getByLabel("First message after", { exact: true }).fill("1s");
  await route.getByRole("button", { name: "Add", exact: true }).click();
  await expect(route).toBeHidden();
  await expect(page.getByText("▲ on-call")).toBeVisible();
  await page.getByLabel("Value of label 2").fill("warning");
  await expect(page.getByText(/^● Dashboard only/)).toBeVisible();
});

test("rule is added with a preview and turned off and on", async () => {
  await page.goto("/alerts/rules");
  await page.getByRole("link", { name: "Add rule" }).click();
  await expect(page.getByText("Not enough posts")).toBeVisible();
  await page.getByLabel("Window", { exact: true }).fill("soon");
  await expect(page.getByRole("alert").first()).toBeVisible();
  await page.getByLabel("Window", { exact: true }).fill("30min");
  // The alert must not fire before all posts are counted.
  await page.getByLabel("Minimum posts").fill(String(BAD.length));
  await page.getByLabel("Wait before alerting: None").click();
  await page.getByText("Advanced", { exact: true }).click();
  await page.getByLabel("Check every", { exact: true }).fill("1s");
  await page.getByLabel("Name", { exact: true }).fill("Angry checkout");
  await page.getByLabel("Severity").selectOption("critical");
  await page.getByLabel("Message").fill("{{value}} of {{posts}} posts are negative");
  await page.getByRole("button", { name: "Add rule" }).click();
  const rule = page.getByRole("listitem").filter({ hasText: "Angry checkout" });
  await rule.getByRole("button", { name: "Turn off" }).click();
  await expect(rule.getByText(/, off/)).toBeVisible();
  await rule.getByRole("button", { name: "Turn on" }).click();
  await expect(rule.getByText(/, off/)).toBeHidden();
});

test("alert is opened, inspected and acknowledged", async ({ browser, server }) => {
  const now = Date.now();
  await server.post(
    ...BAD.map((content, n) => ({
      post_id: `bad-${n}`,
      content,
      author: "ada",
      created_at: new Date(now - 60_000 + n * 1_000).toISOString(),
    })),
  );
  await page.goto("/alerts");
  const row = page.getByRole("link", { name: /Angry checkout in all sources/ }).first();
  await expect(row).toBeVisible({ timeout: 60_000 });
  await row.click();
  await expect(page.getByRole("heading", { name: "Angry checkout in all sources" })).toBeVisible();
  await expect(page.getByText(/ of 5 posts are negative$/)).toBeVisible();
  const evidence = page.getByRole("list", { name: "Evidence" });
  await expect(evidence.getByText("1 similar post")).toBeVisible();
  await expect(page.getByRole("region", { name: "Timeline" }).getByText("Firing")).toBeVisible();
  await expect(page.getByRole("button", { name: /^Show delivery .* to on-call$/ })).toBeVisible({
    timeout: 60_000,
  });
  const address = page.url();
  await page.getByRole("link", { name: "Show posts", exact: true }).click();
  await expect(page.getByRole("region", { name: "Posts", exact: true }).getByRole("article")).toHaveCount(5);
  await page.goBack();
  await expect(page).toHaveURL(address);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.getByRole("button", { name: "Add note" }).click();
  const question = page.getByRole("dialog", { name: "Note" });
  await question.getByLabel("Note").fill("We call the shop.");
  await question.getByRole("button", { name: "Save" }).click();
  // The live event may arrive before the response closes the dialog.
  await expect(question).toBeHidden();
  await expect(page.getByText("We call the shop.")).toBeVisible();
  // The link of a notification also works in another browser.
  const other = await browser.newPage();
  await other.goto(address);
  await expect(other.getByText("We call the shop.")).toBeVisible();
  await other.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`alert, rules and editor in ${colorScheme} pass axe`, async () => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [1440, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [view, whole] of [
        ["/alerts/1", page.getByRole("list", { name: "Evidence" })],
        ["/alerts/rules", page.getByRole("listitem").filter({ hasText: "Angry checkout" })],
        ["/alerts/rules/3", page.getByText(/(No|\d+) alerts? in the last 24 hours/)],
        ["/alerts/rules/new", page.getByText(/(No|\d+) alerts? in the last 24 hours/)],
      ] as const) {
        await page.goto(view);
        await expect(whole).toBeVisible();
        await page.waitForLoadState("networkidle");
        await expectAccessible(page);
      }
    }
  });
}
