import { test as base, expect } from "@playwright/test";
import { Server, until } from "../server";

const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server(["worker.max_deliveries=1"]);
      await server.start();
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
  baseURL: async ({ server }, use) => use(server.page),
});

test("replayed dead letter is analysed", async ({ page, server }) => {
  // The trigger makes the database reject a row permanently.
  server.sql(
    `CREATE TRIGGER refuse BEFORE INSERT ON social_media_posts WHEN NEW.content LIKE '%refused%'
     BEGIN INSERT INTO stream_meta (key, value) SELECT key, value FROM stream_meta; END;`,
  );
  const posts = [
    { post_id: "good", source: "web", content: "Nothing wrong with this one" },
    { post_id: "bad", source: "web", content: "This one is refused at first" },
  ];
  await server.call("/api/posts", { method: "POST", body: JSON.stringify(posts) });
  await until(60_000, async () => (await deadLetters(server)) === 1);
  server.sql("DROP TRIGGER refuse;");

  await page.goto("/system");
  await expect(page.getByRole("heading", { name: "Dead letters, 1 post" })).toBeVisible();
  await page.getByRole("button", { name: "Show bad" }).click();
  const letter = page.getByRole("dialog", { name: "Dead letter" });
  await expect(letter.getByText("This one is refused at first")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(letter).toBeHidden();
  await page.getByRole("button", { name: "Replay all" }).click();
  await page
    .getByRole("dialog", { name: /^Replay all/ })
    .getByRole("button", { name: "Replay all" })
    .click();
  await expect(page.getByText("No dead letters")).toBeVisible();
  // The list is not fetched again, so the post must be analysed before it is opened.
  await server.analysed("bad");
  await page.goto("/posts");
  await expect(page.getByText("This one is refused at first")).toBeVisible();
});

async function deadLetters(server: Server): Promise<number> {
  return (await (await server.call("/api/health")).json()).stats.dead_letters;
}
