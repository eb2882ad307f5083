import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test as base, expect } from "@playwright/test";
import { Server } from "../server";

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(['outbound.allow=["127.0.0.1"]']);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

test("receiver test is delivered and logged", async ({ page }) => {
  const got: string[] = [];
  const hook = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push(body);
      response.end("thank you");
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const { port } = hook.address() as AddressInfo;
  await page.goto("/alerts/receivers");
  await page.getByRole("button", { name: "Add receiver" }).click();
  const form = page.getByRole("dialog", { name: "Add receiver" });
  await form.getByLabel("Channel").selectOption("webhook");
  await form.getByLabel("Name", { exact: true }).fill("on-call");
  await form.getByLabel("URL", { exact: true }).fill(`http://127.0.0.1:${port}/alerts`);
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await expect(form).toBeHidden();
  await page.getByRole("button", { name: "Test on-call" }).click();
  await expect(page.getByText(/Test delivered.*status 200/)).toBeVisible({ timeout: 30_000 });
  expect(JSON.parse(got[0] ?? "").receiver).toBe("on-call");
  await page
    .getByRole("button", { name: /^Show delivery .* to on-call$/ })
    .first()
    .click();
  await expect(page.getByRole("dialog", { name: "Delivery" }).getByText("thank you")).toBeVisible();
  hook.close();
});

test("silence is added, edited and ended", async ({ page }) => {
  await page.goto("/alerts/silences");
  await page.getByRole("button", { name: "Add silence" }).click();
  const form = page.getByRole("dialog", { name: "Add silence" });
  await form.getByLabel("Value 1").fill("negative_share");
  await form.getByRole("button", { name: "1 d" }).click();
  await form.getByLabel("Your name").fill("Ada");
  await form.getByLabel("Reason").fill("planned work");
  await form.getByRole("button", { name: "Silence", exact: true }).click();
  await expect(form).toBeHidden();
  await expect(page.getByText("planned work", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Edit" }).click();
  const change = page.getByRole("dialog", { name: "Edit silence" });
  await change.getByLabel("Reason").fill("longer work than planned");
  await change.getByRole("button", { name: "Save" }).click();
  await expect(change).toBeHidden();
  await expect(page.getByText("longer work than planned")).toBeVisible();
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("dialog", { name: "End this silence?" }).getByRole("button", { name: "End" }).click();
  await expect(page.getByRole("region", { name: /^Ended/ }).getByText("longer work")).toBeVisible();
});
