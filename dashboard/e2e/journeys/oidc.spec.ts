import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { test as base, expect } from "@playwright/test";
import { freePort, Server } from "../server";

const PROVIDER = fileURLToPath(new URL("../oidc-provider.mjs", import.meta.url));

interface Worker {
  server: Server;
  provider: ChildProcess;
}

const test = base.extend<object, Worker & { port: number }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
  port: [async ({}, use) => use(await freePort()), { scope: "worker" }],
  server: [
    async ({ port }, use) => {
      const server = new Server([
        `server.auth.oidc.issuer=http://127.0.0.1:${port}`,
        "server.auth.oidc.client_id=sentistream",
        "server.auth.oidc.client_secret=a secret with % & and spaces",
        "server.auth.oidc.name=Company",
        'server.auth.oidc.roles.editor=["staff"]',
        'outbound.allow=["127.0.0.1"]',
      ]);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  provider: [
    async ({ port, server }, use) => {
      const client = server.api.replace("127.0.0.1", "localhost");
      const child = spawn(process.execPath, [PROVIDER, `${port}`, client], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      await once(child.stdout as NodeJS.ReadableStream, "data");
      await use(child);
      child.kill();
    },
    { scope: "worker", auto: true },
  ],
});

test("user signs in and out with the identity provider", async ({ page, server }) => {
  await page.goto(`${server.api}/alerts?state=firing`);
  await page.getByRole("link", { name: "Sign in with Company" }).click();
  await page.locator("[name=login]").fill("ada");
  await page.locator("[name=password]").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page).toHaveURL(/^http:\/\/localhost:\d+\/alerts\?state=firing$/);
  await page.getByRole("button", { name: "Account of ada" }).click();
  await expect(page.getByText("Editor")).toBeVisible();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByRole("link", { name: "Sign in with Company" })).toBeVisible();
});

test("cancelled sign-in is explained and can be repeated", async ({ page, server }) => {
  await page.goto(`${server.api}/sign-in`);
  await page.getByRole("link", { name: "Sign in with Company" }).click();
  await page.getByText("[ Cancel ]").click();
  await expect(page.getByText("The sign-in service refused the request, or you cancelled it.")).toBeVisible();
  await page.getByRole("link", { name: "Sign in with Company" }).click();
  await expect(page.locator("[name=login]")).toBeVisible();
});
