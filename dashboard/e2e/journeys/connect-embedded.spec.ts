import { expect } from "@playwright/test";
import { ACCOUNT } from "../mail-server";
import { type Providers, SECRETS } from "../providers";
import {
  type Connection,
  commonJourneys,
  connect,
  connectWebhook,
  installation,
  openForm,
  save,
  seePost,
} from "./connect";

const test = installation([]);

// The tests share a server. The last test creates the first account, which ends access without an account.
test.describe.configure({ mode: "serial" });

const times: Record<string, number> = {};

test.afterAll(() => {
  if (Object.keys(times).length === 0) return;
  const lines = Object.entries(times).map(
    ([kind, time]) => `${kind.padEnd(14)}${(time / 1_000).toFixed(1)} s`,
  );
  // biome-ignore lint/suspicious/noConsole: times of journeys are printed to the log
  console.log(`From "Add source" to a live post:\n${lines.join("\n")}`);
});

/** The kinds that are added by filling in their form. */
function connections({ url, mail }: Providers): Connection[] {
  return [
    { kind: "rss", title: "Feeds and web pages", values: { Feeds: `${url}/blog` }, text: "I love the blog" },
    { kind: "bluesky", title: "Bluesky", text: /I love the Bluesky \d/ },
    { kind: "mastodon", title: "Mastodon", values: { Instances: url }, text: "I love the Mastodon" },
    {
      kind: "hackernews",
      title: "Hacker News",
      more: { Interval: "1s" },
      text: /I love Hacker News \d/,
    },
    {
      kind: "reddit",
      title: "Reddit",
      values: { "Client id": "app", "Client secret": SECRETS.reddit, Subreddits: "rust" },
      text: "I love the Reddit",
    },
    { kind: "steam", title: "Steam reviews", values: { Apps: "620" }, text: "I love the game on Steam" },
    {
      kind: "json",
      title: "JSON endpoint",
      values: { Url: `${url}/reviews`, "Text path": "$.body", Secret: SECRETS.json },
      text: "I love the JSON shop",
    },
    {
      kind: "github",
      title: "GitHub issues and discussions",
      values: { Repositories: "acme/phone", Token: SECRETS.github },
      more: { Url: `${url}/` },
      text: "I love GitHub",
    },
    {
      kind: "youtube",
      title: "YouTube comments",
      values: { Key: SECRETS.youtube, Videos: "dQw4w9WgXcQ" },
      text: "I love YouTube",
    },
    {
      kind: "imap",
      title: "E-mail",
      values: { Host: "127.0.0.1", User: ACCOUNT.user, Password: ACCOUNT.password },
      more: { Port: String(mail.port), Tls: "none" },
      text: "I love the answer by e-mail",
    },
  ];
}

test("each kind of source is connected from the browser", async ({ page, server, providers }) => {
  test.setTimeout(300_000);
  const list = connections(providers);
  const { kinds } = (await (await server.call("/api/sources/kinds")).json()) as { kinds: { kind: string }[] };
  expect(kinds.map(({ kind }) => kind).sort()).toEqual([...list.map(({ kind }) => kind), "webhook"].sort());
  await page.goto("/");
  for (const connection of list) {
    times[connection.kind] = await connect(page, connection);
    // Sources that send new posts all the time would slow down the others.
    const path = `/api/sources/my-${connection.kind}`;
    expect((await server.call(path, { method: "DELETE", headers: { "if-match": "*" } })).status).toBe(204);
  }
  times.webhook = await connectWebhook(page, server);
});

// No setting changes the addresses of these services. The test replaces the hosts of the feeds that the form finds with
// the host of the fake providers.
test("addresses of shops and communities become feeds", async ({ page, providers }) => {
  await page.goto("/");
  const form = await openForm(page);
  const found: string[] = [];
  for (const address of [
    "https://apps.apple.com/de/app/facebook/id284882215",
    "https://lemmy.world/c/rust",
    "https://stackoverflow.com/questions/tagged/rust",
    "https://forum.example.org/c/support/5",
  ]) {
    await form.getByLabel("Address", { exact: true }).fill(address);
    await form.getByRole("button", { name: "Find" }).click();
    const known = found.at(-1) ?? "";
    await expect(form.getByLabel("Feeds")).not.toHaveValue(known);
    await expect(form.getByLabel("Feeds")).toHaveValue(/^https:/);
    found.push(await form.getByLabel("Feeds").inputValue());
  }
  const local = found.map((url) => url.replace(/^https:\/\/[^/]+/, providers.url));
  await form.getByLabel("Feeds").fill(local.join("\n"));
  await form.getByLabel("Name", { exact: true }).fill("communities");
  await form.getByRole("button", { name: "Test" }).click();
  const result = form.getByRole("region", { name: "Test result" });
  for (const name of ["App Store", "Lemmy", "Stack Overflow", "Discourse"]) {
    await expect(result).toContainText(`I love the ${name}`);
  }
  await save(form);
  await seePost(page, "I love the App Store");
});

commonJourneys(test, "one process");
