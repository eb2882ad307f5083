import { SECRETS } from "../providers";
import {
  changeRetention,
  connectWebhook,
  installation,
  inviteReader,
  recoverFromWrongSecret,
} from "./connect";

const { SENTISTREAM_TEST_REDIS_URL: redis, SENTISTREAM_TEST_POSTGRES_URL: postgres } = process.env;

/** Redis and Postgres of `scripts/with-services`, which are empty. */
const test = installation([`stream.url=${redis}`, `database.url=${postgres}`]);

test.skip(!redis || !postgres, "needs Redis and Postgres: scripts/with-services npm run e2e");

// The tests share a server, whose first account closes it to all others.
test.describe.configure({ mode: "serial" });

test("webhook is connected from the browser on Redis and Postgres", async ({ page, server }) => {
  await page.goto("/");
  await connectWebhook(page, server);
});

test("source with a wrong secret is repaired on Redis and Postgres", async ({ page, providers }) => {
  await page.goto("/");
  await recoverFromWrongSecret(page, `${providers.url}/reviews`, SECRETS.json);
});

test("retention is changed, audited and undone on Postgres", async ({ page, server }) => {
  await changeRetention(page, server);
});

test("invited reader cannot change anything on Postgres", async ({ page, browser, server }) => {
  const context = await browser.newContext({ baseURL: server.page, locale: "en-GB" });
  await inviteReader(page, await context.newPage());
  await context.close();
});
