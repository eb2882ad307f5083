import { createHash } from "node:crypto";
import { test as base, expect } from "@playwright/test";
import { Server } from "../server";

const TOKEN = "a-token-for-tests-0123456789";

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const hash = createHash("sha256").update(TOKEN).digest("hex");
      const server = new Server([
        `server.auth.tokens=[{ name = "reader", sha256 = "${hash}", scopes = ["read"] }]`,
      ]);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

test("access token signs in for one tab", async ({ page, context }) => {
  await page.goto("/system");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  const field = page.getByLabel("Access token", { exact: true });
  await field.fill("wrong");
  await field.press("Enter");
  await expect(page.getByRole("alert")).toContainText("The server does not accept this token");
  await field.fill(TOKEN);
  await field.press("Enter");
  await expect(page).toHaveURL(/\/system$/);
  await expect(page.getByText("Database", { exact: true })).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: /^Live$/ })).toBeVisible({ timeout: 60_000 });
  await page.reload();
  await expect(page.getByText("Database", { exact: true })).toBeVisible();
  const other = await context.newPage();
  await other.goto("/system");
  await expect(other.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("sign-in link creates the first account", async ({ page, server }) => {
  const [, code] = /#sign-in=(\S+)/.exec(server.command("sign-in")) ?? [];
  await page.goto(`/topics#sign-in=${code}`);
  await expect(page.getByRole("heading", { name: "Create your account" })).toBeVisible();
  expect(page.url()).not.toContain("#sign-in");
  await page.getByLabel("User name").fill("root");
  await page.getByLabel("Password", { exact: true }).fill("password1234");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByText(/▼.*(guess|common|known)/i)).toBeVisible();
  await page.getByLabel("Password", { exact: true }).fill("olive tractor pencil moon");
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL(/\/topics$/);
  await page.getByRole("button", { name: "Account of root" }).click();
  await expect(page.getByRole("menu")).toContainText("Administrator");
});

test("attempts are throttled with a countdown", async ({ page, server }) => {
  const guess = (n: number) =>
    server.call("/api/session", {
      method: "POST",
      body: JSON.stringify({ username: "root", password: `guess ${n}` }),
    });
  for (let n = 0; n < 40; n++) if ((await guess(n)).status === 429) break;
  await page.goto("/sign-in");
  const button = page.getByRole("button", { name: "Sign in", exact: true });
  // If the delay ends too early, the server accepts the next wrong password and doubles the delay.
  await expect(async () => {
    await page.getByLabel("User name").fill("root");
    await page.getByLabel("Password", { exact: true }).fill("a wrong password");
    await button.click();
    const options = { timeout: 2_000 };
    await expect(page.getByRole("alert")).toContainText(/Too many attempts\. Try again in \d+ s\./, options);
    await expect(button).toBeDisabled(options);
  }).toPass();
});
