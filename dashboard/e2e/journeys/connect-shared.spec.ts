import { commonJourneys, connectWebhook, installation } from "./connect";

const { SENTISTREAM_TEST_REDIS_URL: redis, SENTISTREAM_TEST_POSTGRES_URL: postgres } = process.env;

/** A server on the empty Redis and Postgres that `scripts/with-services` starts. */
const test = installation([`stream.url=${redis}`, `database.url=${postgres}`]);

test.skip(!redis || !postgres, "needs Redis and Postgres: scripts/with-services npm run e2e");

// The tests share a server. The last test creates the first account, which ends access without an account.
test.describe.configure({ mode: "serial" });

test("webhook is connected from the browser on Redis and Postgres", async ({ page, server }) => {
  await page.goto("/");
  await connectWebhook(page, server);
});

commonJourneys(test, "Redis and Postgres");
