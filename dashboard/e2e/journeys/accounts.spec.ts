import { type Browser, test as base, expect, type Page } from "@playwright/test";
import { Server } from "../server";
import { expectAccessible } from "./axe";

/** A server whose accounts the tests create in order. */
const test = base.extend<object, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of fixtures from this pattern
    async ({}, use) => {
      const server = new Server();
      await server.start();
      await server.post({ post_id: "accounts-1", content: "I love this, wonderful!" });
      await use(server);
      await server.end();
    },
    { scope: "worker" },
  ],
});

const [ADMIN, READER] = ["olive tractor pencil moon", "amber kettle window nine"];

// The tests run in order, because each needs the accounts of the previous ones.
test.describe.configure({ mode: "serial" });

let admin: Page;
let link = "";

test.afterAll(() => admin?.context().close());

test("first account is created and ends anonymous access", async ({ browser, server }) => {
  admin = await personOn(browser, server);
  await admin.goto("/settings/people");
  await admin.getByLabel("User name").fill("ada");
  await admin.getByLabel("Password", { exact: true }).fill(ADMIN);
  await admin.getByRole("button", { name: "Create account" }).click();
  await expect(admin.getByRole("listitem").filter({ hasText: "ada (you)" })).toContainText("Administrator");
  expect((await server.call("/api/posts")).status).toBe(401);
});

test("colleague is invited as a viewer", async () => {
  await admin.getByRole("button", { name: "Invite" }).click();
  const form = admin.getByRole("dialog", { name: "Invite a person" });
  await form.getByLabel("User name").fill("ben");
  await expect(form.getByRole("radio", { name: /^Viewer/ })).toBeChecked();
  await form.getByRole("button", { name: "Create invitation" }).click();
  link = (await form.locator("code").textContent()) ?? "";
  expect(link).toContain("#invitation=");
  await form.getByRole("button", { name: "Done" }).click();
  const row = admin.getByRole("listitem").filter({ hasText: "ben" });
  await expect(row).toContainText(/never signed in.*link valid for/);
});

test("viewer signs in, sees posts and cannot change anything", async ({ browser, server }) => {
  const page = await personOn(browser, server);
  await page.goto(`/${new URL(link).hash}`);
  await expect(page.getByLabel("User name")).toHaveValue("ben");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Save and sign in" }).click();
  expect(await page.getByLabel("Password", { exact: true }).evaluate(isTooShort)).toBe(true);
  await page.getByLabel("Password", { exact: true }).fill(READER);
  await page.getByRole("button", { name: "Save and sign in" }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
  await page.goto("/posts?range=24h");
  await expect(page.getByText("I love this, wonderful!")).toBeVisible();
  await expect(page.getByRole("status").filter({ hasText: /^Live$/ })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("link", { name: "Settings" })).toHaveCount(0);
  await page.goto("/topics");
  await expect(page.getByText("You can see topics but not change them.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Add topic" })).toHaveCount(0);
  await page.goto("/settings/people");
  await expect(page.getByText("Only administrators can open this page")).toBeVisible();
  const refused = await page.evaluate(async () => (await fetch("/api/demo", { method: "DELETE" })).status);
  expect(refused).toBe(403);
  await page.getByRole("button", { name: "Account of ben" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto("/posts");
  await expect(page).toHaveURL(/\/sign-in\?return=%2Fposts/);
  await page.context().close();
});

test("sign-in by keyboard returns to the refused page", async ({ browser, server }) => {
  const page = await personOn(browser, server);
  await page.goto("/alerts/rules");
  await expect(page.getByLabel("User name")).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.type("ben");
  await page.keyboard.press("Tab");
  await page.keyboard.type("not the password");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("The user name or the password is wrong");
  await expect(page.getByLabel("Password", { exact: true })).toBeFocused();
  await page.keyboard.type(READER);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/alerts\/rules$/);
  await expect(page.getByText("You can see rules but not change them.")).toBeVisible();
  await page.context().close();
});

test("administrator signs a device out", async ({ browser, server }) => {
  const page = await personOn(browser, server);
  await signIn(page, "ben", READER);
  await admin.reload();
  // The previous test left a device signed in. The newest device is listed first.
  const devices = admin
    .getByRole("region", { name: "Signed-in devices" })
    .getByRole("listitem")
    .filter({ hasText: "ben" });
  await expect(devices).toHaveCount(2);
  await devices.first().getByRole("button", { name: "Sign out" }).click();
  await admin.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await expect(devices).toHaveCount(1);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.context().close();
});

test("changed role changes the offered actions", async ({ browser, server }) => {
  await admin.getByRole("button", { name: "Edit ben" }).click();
  await admin.getByRole("radio", { name: /^Editor/ }).check();
  await admin.getByRole("button", { name: "Save" }).click();
  await expect(admin.getByRole("listitem").filter({ hasText: "ben" }).first()).toContainText("Editor");
  const page = await personOn(browser, server);
  await signIn(page, "ben", READER);
  await page.goto("/topics");
  await expect(page.getByRole("button", { name: "Add topic" })).toBeVisible();
  await page.context().close();
});

test("API token works until it is revoked", async ({ server }) => {
  await admin.goto("/settings/tokens");
  await admin.getByRole("button", { name: "Create token" }).click();
  const form = admin.getByRole("dialog", { name: "Create token" });
  await form.getByLabel("Name").fill("report");
  await form.getByRole("button", { name: "Create token" }).click();
  const token = (await form.locator("code").textContent()) ?? "";
  await form.getByRole("button", { name: "Done" }).click();
  const read = () => server.call("/api/posts", { headers: { authorization: `Bearer ${token}` } });
  expect((await read()).status).toBe(200);
  const row = admin.getByRole("listitem").filter({ hasText: "report" });
  await admin.reload();
  await expect(row).toContainText(/used (now|\d+)/);
  await row.getByRole("button", { name: "Revoke" }).click();
  await admin.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(row).toHaveCount(0);
  await expect.poll(async () => (await read()).status).toBe(401);
});

test("audit log names who did what", async () => {
  await admin.goto("/settings/audit");
  const events = admin.getByRole("listitem");
  await expect(events.filter({ hasText: "Deleted API token" }).first()).toContainText("ada");
  await admin.getByLabel("Outcome").selectOption("Denied");
  await expect(events.filter({ hasText: "Denied: Deleted demo data" }).first()).toContainText("ben");
  await admin.getByLabel("Actor").fill("nobody");
  await expect(admin.getByText("No matching events")).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const path of ["/settings/people", "/settings/tokens", "/settings/audit", "/account"]) {
    for (const width of [1440, 640, 360]) {
      test(`${path} in ${colorScheme} at ${width} px passes axe`, async () => {
        await admin.setViewportSize({ width, height: 800 });
        await admin.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await admin.goto(path);
        await expect(admin.locator("main section").last()).toBeVisible();
        await admin.waitForLoadState("networkidle");
        await expectAccessible(admin);
      });
    }
  }
}

async function personOn(browser: Browser, server: Server): Promise<Page> {
  const context = await browser.newContext({ baseURL: server.page, locale: "en-GB" });
  return context.newPage();
}

async function signIn(page: Page, name: string, password: string): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("User name").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Overview" })).toBeVisible();
}

function isTooShort(field: HTMLElement | SVGElement): boolean {
  return field instanceof HTMLInputElement && field.validity.tooShort;
}
