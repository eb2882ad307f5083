import { test as base, expect, type Page } from "@playwright/test";
import { Server } from "../server";

interface Worker {
  server: Server;
}

/** Tests of one file share a server; its settings are given with `test.use`. */
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
  /** Whatever the browser complains of, a breach of the page's policy above all, fails the test. */
  quiet: [
    async ({ page }, use) => {
      const complaints = complaintsOf(page);
      await use(undefined);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is away or refuses is part of some journeys.
    const expected = /Failed to load resource|WebSocket connection/.test(message.text());
    if (message.type() === "error" && !expected) complaints.push(message.text());
  });
  return complaints;
}

export { expect };

/** A prefix that no other test uses, so that tests can share a server. */
export function unique(name: string): string {
  return `${name}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 7)}`;
}

/** The page is live. After some failures it waits for half a minute before it tries again. */
export async function isLive(page: Page): Promise<void> {
  await expect(page.getByRole("status").filter({ hasText: /^Live$/ })).toBeVisible({ timeout: 60_000 });
}
