import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test as base, expect } from "@playwright/test";
import { Server } from "../server";

/** A server whose sources may request addresses of this machine. */
const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(['outbound.allow=["127.0.0.1"]', "sources.rss.min_interval=1s"]);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

/** A web page with a link to its Atom feed (RFC 4287), which readers discover by `rel="alternate"`. */
async function startBlog(): Promise<{ url: string; http: HttpServer }> {
  const entry = (id: number, text: string) =>
    `<entry><id>urn:e${id}</id><title>Post ${id}</title><updated>${new Date().toISOString()}</updated><summary>${text}</summary></entry>`;
  const http = createServer((request, response) => {
    if (request.url === "/feed.xml") {
      response.setHeader("Content-Type", "application/atom+xml");
      response.end(
        `<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title><id>urn:blog</id><updated>${new Date().toISOString()}</updated>${entry(1, "I love the new coffee machine")}${entry(2, "The delivery was late again and nobody answers")}</feed>`,
      );
      return;
    }
    response.setHeader("Content-Type", "text/html");
    response.end(
      '<html><head><link rel="alternate" type="application/atom+xml" href="/feed.xml"></head></html>',
    );
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, http };
}

test("web page becomes a live source without a restart", async ({ page, server }) => {
  const { url, http } = await startBlog();
  await page.goto("/sources");
  await page.getByRole("button", { name: "Add source" }).click();
  await page.getByLabel("Address").fill(`${url}/about`);
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page.getByLabel("Feeds")).toHaveValue(`${url}/about`);
  await page.getByLabel("Name").fill("blog");
  await page.getByRole("button", { name: "Test" }).click();
  const result = page.getByRole("region", { name: "Test result" });
  await expect(result.getByText("2 posts were read.")).toBeVisible();
  await expect(result.getByText("I love the new coffee machine")).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Add source" }).click();
  const row = page.getByRole("listitem").filter({ hasText: "blog" });
  await expect(row.getByText("Running")).toBeVisible();
  await expect
    .poll(
      async () => ((await (await server.call("/api/stats")).json()) as { total_posts: number }).total_posts,
    )
    .toBe(2);

  await row.getByRole("button", { name: "Pause blog" }).click();
  await expect(row.getByText("Paused")).toBeVisible();
  await row.getByRole("button", { name: "Edit blog" }).click();
  await page.getByLabel("Feeds").fill("ftp://nowhere");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(/expected an http or https URL/i)).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await row.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(row).toBeHidden();
  http.close();
});

test("unreadable address shows what to do", async ({ page }) => {
  await page.goto("/sources");
  await page.getByRole("button", { name: "Add source" }).click();
  await page.getByLabel("Address").fill("two words");
  await page.getByRole("button", { name: "Find" }).click();
  await expect(page.getByText(/enter the address of a web page/i)).toBeVisible();
  await page.getByLabel("Feeds").fill("http://127.0.0.1:1/feed.xml");
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByRole("region", { name: "Test result" })).toContainText(/127\.0\.0\.1/);
});
