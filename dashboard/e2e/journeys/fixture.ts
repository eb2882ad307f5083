import { test as base, expect, type Page } from "@playwright/test";
import { Server } from "../server";

interface Worker {
  server: Server;
}

/** The tests of a file share a server. */
export const test = base.extend<{ quiet: undefined }, Worker>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server();
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
  /** Browser errors, such as violations of the content security policy, fail the test. */
  quiet: [
    async ({ page }, use) => {
      const errors = errorsOf(page);
      await use(undefined);
      expect(errors).toEqual([]);
    },
    { auto: true },
  ],
});

function errorsOf(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // Some journeys stop the server or provoke errors.
    const expected = /Failed to load resource|WebSocket connection/.test(message.text());
    if (message.type() === "error" && !expected) errors.push(message.text());
  });
  return errors;
}

export { expect };

/** A unique prefix, so that tests can share a server. */
export function unique(name: string): string {
  return `${name}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 7)}`;
}

/** Waits until the page is live. The reconnect delay can reach half a minute. */
export async function isLive(page: Page): Promise<void> {
  await expect(page.getByRole("status").filter({ hasText: /^Live$/ })).toBeVisible({ timeout: 60_000 });
}
