import { expect, isLive, test, unique } from "./fixture";

test("post sent to the API appears live and is counted", async ({ page, server }) => {
  const source = unique("live");
  await server.post({ post_id: `${source}-0`, source, content: "The first one" });
  await page.goto(`/?source=${source}`);
  await isLive(page);
  await expect(page.getByRole("link", { name: /^Posts 1/ })).toBeVisible();
  await server.post({ post_id: `${source}-1`, source, content: "I love how this just works" });
  await expect(page.getByText("I love how this just works")).toBeVisible();
  await expect(page.getByRole("link", { name: /^Posts 2/ })).toBeVisible();
});

test("figures after a burst match the REST API", async ({ page, server }) => {
  const source = unique("burst");
  await page.goto(`/?source=${source}&range=15m`);
  await isLive(page);
  const moods = ["I love this, wonderful!", "This is terrible, I hate it.", "The meeting is at ten."];
  const posts = Array.from({ length: 120 }, (_, n) => ({
    post_id: `${source}-${n}`,
    source,
    content: `${moods[n % 3]} ${n}`,
  }));
  await server.post(...posts);
  await expect(page.getByRole("link", { name: /^Posts 120/ })).toBeVisible({ timeout: 30_000 });
  const end = new Date().toISOString();
  const answer = await server.call(`/api/sentiment/aggregate?period=hour&source=${source}&end_date=${end}`);
  const { summary } = await answer.json();
  expect(summary.total_posts).toBe(120);
  for (const [label, total] of [
    ["Positive", summary.positive_total],
    ["Neutral", summary.neutral_total],
    ["Negative", summary.negative_total],
  ] as const) {
    const share = ((total * 100) / 120).toFixed(1);
    await expect(
      page.getByRole("link", { name: new RegExp(`^${label} ${share.replace(".", "\\.")}%`) }),
    ).toBeVisible();
  }
});

test("restart of the server loses and repeats no posts", async ({ page, server }) => {
  const source = unique("restart");
  await server.post({ post_id: `${source}-0`, source, content: "Before the restart" });
  await page.goto(`/live?source=${source}`);
  await isLive(page);
  await server.stop();
  await expect(page.getByText(/The live connection was lost/)).toBeVisible();
  await server.start();
  await server.post({ post_id: `${source}-1`, source, content: "After the restart" });
  await expect(page.getByText("After the restart")).toBeVisible({ timeout: 60_000 });
  await isLive(page);
  await expect(page.getByText("Before the restart")).toHaveCount(1);
  await expect(page.getByText("After the restart")).toHaveCount(1);
});

test("feed under the pointer is paused", async ({ page, server }) => {
  const source = unique("hover");
  await server.post({ post_id: `${source}-0`, source, content: "Being read" });
  await page.goto(`/live?source=${source}`);
  await isLive(page);
  await expect(page.getByText("Being read")).toBeVisible();
  await page.getByRole("region", { name: "Newest posts" }).hover();
  await server.post({ post_id: `${source}-1`, source, content: "Waiting" });
  const more = page.getByRole("button", { name: "1 new post" });
  await expect(more).toBeVisible();
  // The button is part of the feed, so the feed stays paused.
  await more.hover();
  await expect(page.getByText("Waiting")).toHaveCount(0);
  await more.click();
  await expect(page.getByText("Waiting")).toBeVisible();
});
