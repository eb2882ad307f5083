import { createHmac } from "node:crypto";
import { test as base, expect, type Locator, type Page } from "@playwright/test";
import { Providers, SECRETS } from "../providers";
import { Server } from "../server";

/** The maximum time from the click on "Add source" to a post in the dashboard. */
const LIMIT_MS = 120_000;

interface Worker {
  providers: Providers;
  server: Server;
}

/** A test with fake providers of posts and an empty server that has these settings. */
export function installation(settings: readonly string[]) {
  return base.extend<object, Worker>({
    providers: [
      // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
      async ({}, use) => {
        const providers = new Providers();
        await providers.start();
        await use(providers);
        providers.end();
      },
      { scope: "worker" },
    ],
    server: [
      async ({ providers }, use) => {
        const server = new Server([...settings, ...providers.settings]);
        await server.start();
        await use(server);
        await server.end();
      },
      { scope: "worker" },
    ],
    baseURL: async ({ server }, use) => use(server.page),
  });
}

/** The journeys that work the same in all installations. `on` names the installation in the titles. */
export function commonJourneys(test: ReturnType<typeof installation>, on: string): void {
  test(`source with a wrong secret is repaired on ${on}`, async ({ page, providers }) => {
    await page.goto("/");
    await recoverFromWrongSecret(page, `${providers.url}/reviews`, SECRETS.json);
  });

  test(`retention change is audited and undone on ${on}`, async ({ page, server }) => {
    await changeRetention(page, server);
  });

  test(`invited viewer cannot change anything on ${on}`, async ({ page, browser, server }) => {
    const context = await browser.newContext({ baseURL: server.page, locale: "en-GB" });
    await inviteReader(page, await context.newPage());
    await context.close();
  });
}

export interface Connection {
  kind: string;
  /** The name of the kind in the form. */
  title: string;
  /** The values of the form, by label. */
  values?: Readonly<Record<string, string>>;
  /** The values of the fields under "More settings", by label. */
  more?: Readonly<Record<string, string>>;
  /** A part of the first post's text, or a pattern for it. */
  text: string | RegExp;
}

/** Adds a source in the browser, with a test, and waits for its first post. Returns the time in milliseconds. */
export async function connect(
  page: Page,
  { kind, title, values = {}, more = {}, text }: Connection,
): Promise<number> {
  const form = await openForm(page);
  const started = Date.now();
  await form.getByLabel("Kind", { exact: true }).selectOption(title);
  await form.getByLabel("Name", { exact: true }).fill(`my-${kind}`);
  if (Object.keys(more).length > 0) await form.getByText("More settings").click();
  for (const [label, value] of Object.entries({ ...values, ...more })) {
    await form.getByLabel(label, { exact: true }).fill(value);
  }
  await form.getByRole("button", { name: "Test" }).click();
  await expect(form.getByRole("region", { name: "Test result" })).toContainText(text);
  await save(form);
  await seePost(page, text);
  const time = Date.now() - started;
  expect(time, `time to connect ${title}`).toBeLessThan(LIMIT_MS);
  return time;
}

export async function openForm(page: Page): Promise<Locator> {
  await page.getByRole("link", { name: "Sources", exact: true }).click();
  await page.getByRole("button", { name: "Add source" }).click();
  return page.getByRole("dialog", { name: "Add source" });
}

export async function save(form: Locator): Promise<void> {
  await form.getByRole("button", { name: "Add source" }).click();
  await expect(form).toBeHidden();
}

/** Waits for a post in the live feed. */
export async function seePost(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole("link", { name: "Live", exact: true }).click();
  await expect(page.getByRole("article").filter({ hasText: text }).first()).toBeVisible();
}

/** Adds a webhook and sends it a signed request. Returns the time in milliseconds. */
export async function connectWebhook(page: Page, server: Server): Promise<number> {
  const form = await openForm(page);
  const started = Date.now();
  await form.getByLabel("Kind", { exact: true }).selectOption("Webhook");
  await form.getByLabel("Name", { exact: true }).fill("my-webhook");
  await form.getByRole("button", { name: "Generate a secret" }).click();
  const secret = await form.getByLabel("Secret", { exact: true }).inputValue();
  await form.getByLabel("Sample of a request").fill('{"text": "I love the sample"}');
  await form.getByRole("button", { name: "Test" }).click();
  await expect(form.getByRole("region", { name: "Test result" })).toContainText("I love the sample");
  await save(form);
  // A request with a wrong signature is reported in the row of the source.
  expect(await deliver(server, "not the secret", "I love forged posts")).toBe(404);
  const row = rowOf(page, "my-webhook");
  await expect(row).toContainText(/signature/i);
  expect(await deliver(server, secret, "I love the webhook")).toBe(202);
  await seePost(page, "I love the webhook");
  const time = Date.now() - started;
  expect(time).toBeLessThan(LIMIT_MS);
  return time;
}

/** Sends a post to the webhook, signed as GitHub signs. Returns the status of the answer. */
async function deliver(server: Server, secret: string, text: string): Promise<number> {
  const body = JSON.stringify({ text, author: "ada" });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const headers = { "x-hub-signature-256": `sha256=${signature}` };
  return (await server.call("/api/hooks/my-webhook", { method: "POST", headers, body })).status;
}

export function rowOf(page: Page, name: string): Locator {
  return page.getByRole("listitem").filter({ hasText: name });
}

/** A source with a wrong secret shows the error in its test and while it runs. It works once the secret is right. */
async function recoverFromWrongSecret(page: Page, url: string, secret: string): Promise<void> {
  const form = await openForm(page);
  await form.getByLabel("Kind", { exact: true }).selectOption("JSON endpoint");
  await form.getByLabel("Name", { exact: true }).fill("shop");
  await form.getByLabel("Url", { exact: true }).fill(url);
  await form.getByLabel("Text path", { exact: true }).fill("$.body");
  await form.getByLabel("Secret", { exact: true }).fill("Bearer wrong");
  await form.getByRole("button", { name: "Test" }).click();
  const refused = /401|secret|key|credentials/i;
  await expect(form.getByRole("region", { name: "Test result" })).toContainText(refused);
  await save(form);
  const row = rowOf(page, "shop");
  await expect(row).toContainText(/Retrying|Failed/);
  await expect(row).toContainText(refused);
  await row.getByRole("button", { name: "Edit shop" }).click();
  const edit = page.getByRole("dialog", { name: "Edit source" });
  await expect(edit.getByLabel("Secret", { exact: true })).toHaveValue("");
  await edit.getByLabel("Secret", { exact: true }).fill(secret);
  await edit.getByRole("button", { name: "Test" }).click();
  await expect(edit.getByRole("region", { name: "Test result" })).toContainText("I love the JSON shop");
  await edit.getByRole("button", { name: "Save" }).click();
  await expect(edit).toBeHidden();
  await expect(row).toContainText("Running");
  await seePost(page, "I love the JSON shop");
}

/** Changes a setting, finds both values in the audit log, and undoes the change. */
async function changeRetention(page: Page, server: Server): Promise<void> {
  const value = async () => (await (await server.call("/api/settings/retention.posts")).json()).value;
  const before: unknown = await value();
  await page.goto("/settings/configuration");
  await page.getByLabel("Search settings").fill("retention.posts");
  const row = page.locator('[id="retention.posts"]');
  await row.getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog", { name: "retention.posts" });
  await dialog.getByLabel("Value", { exact: true }).fill("soon");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog.getByLabel("Value", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await dialog.getByLabel("Value", { exact: true }).fill("200d");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toBeHidden();
  await expect(row).toContainText("Changed here by");
  expect(await value()).not.toEqual(before);

  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Audit log" }).click();
  await expect(rowOf(page, "Changed setting").first()).toContainText("retention.posts");
  await page.getByRole("button", { name: "Changed values" }).click();
  const change = rowOf(page, "retention.posts").first();
  await change.getByText("Changed setting").click();
  await expect(change.getByRole("row", { name: /^value / })).toContainText("200d");

  await page.getByRole("link", { name: "Configuration" }).click();
  await row.getByRole("button", { name: "Undo" }).click();
  await expect(row).not.toContainText("Changed here by");
  expect(await value()).toEqual(before);
}

const [ADMIN, READER] = ["olive tractor pencil moon", "amber kettle window nine"];

/** Requests for changes that a viewer may not make. */
const CHANGES: readonly (readonly [method: string, path: string, body: unknown])[] = [
  ["POST", "/api/sources", { name: "x", kind: "hackernews", settings: {} }],
  ["POST", "/api/topics", { name: "x", query: "x" }],
  ["POST", "/api/alerts/rules", {}],
  ["POST", "/api/alerts/silences", {}],
  ["POST", "/api/alerts/receivers", {}],
  ["PUT", "/api/settings/retention.posts", { value: "30d" }],
  ["POST", "/api/posts", { post_id: "x", source: "x", content: "x" }],
  ["DELETE", "/api/posts/x", undefined],
  ["POST", "/api/users", { name: "eve", role: "admin" }],
  ["POST", "/api/backups", {}],
];

/** Invites a viewer, who sees posts. The pages offer no changes, and the server refuses requests for changes. */
async function inviteReader(page: Page, reader: Page): Promise<void> {
  await page.goto("/settings/people");
  await page.getByLabel("User name").fill("ada");
  await page.getByLabel("Password", { exact: true }).fill(ADMIN);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Invite" }).click();
  const invite = page.getByRole("dialog", { name: "Invite a person" });
  await invite.getByLabel("User name").fill("ben");
  await invite.getByRole("radio", { name: /^Viewer/ }).check();
  await invite.getByRole("button", { name: "Create invitation" }).click();
  const link = new URL((await invite.locator("code").textContent()) ?? "");

  await reader.goto(`/${link.hash}`);
  await reader.getByLabel("Password", { exact: true }).fill(READER);
  await reader.keyboard.press("Enter");
  await expect(reader.getByRole("heading", { name: "Overview" })).toBeVisible();
  for (const what of ["sources", "topics"]) {
    await reader.goto(`/${what}`);
    await expect(reader.getByText(`You can see ${what} but not change them`)).toBeVisible();
    await expect(reader.getByRole("button", { name: /^(Add|Edit|Delete|Pause|Follow)/ })).toHaveCount(0);
  }
  await reader.goto("/settings/configuration");
  await expect(reader.getByText("Only administrators can open this page")).toBeVisible();
  const answers = await reader.evaluate(
    (changes) =>
      Promise.all(
        changes.map(async ([method, path, body]) => {
          const headers = { "content-type": "application/json", "if-match": "*" };
          const request = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
          return `${method} ${path} ${(await fetch(path, request)).status}`;
        }),
      ),
    CHANGES,
  );
  expect(answers).toEqual(CHANGES.map(([method, path]) => `${method} ${path} 403`));
}
