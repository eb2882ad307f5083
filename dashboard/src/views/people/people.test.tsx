import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import type { User } from "@/api/types";
import { PASSWORD } from "@/testing/accounts";
import { iso } from "@/testing/answer";
import { open, serve } from "@/testing/app";
import { makeFeed, makePost } from "@/testing/world";

const { state } = serve();

let ada: User;
beforeEach(() => {
  ada = state.world.accounts.add("ada", "admin");
  state.world.accounts.enter(ada);
});

async function rowOf(text: string): Promise<HTMLElement> {
  return waitFor(() => {
    const rows = screen.getAllByRole("listitem");
    const row = rows.find(({ textContent }) => textContent?.includes(text));
    if (!row) throw new Error(`no row with ${text}`);
    return row;
  });
}

describe("people", () => {
  it("colleague is invited and the link is shown once", async () => {
    const { user } = open("/settings/people");
    await user.click(await screen.findByRole("button", { name: "Invite" }));
    const dialog = await screen.findByRole("dialog", { name: "Invite a person" });
    await user.type(within(dialog).getByLabelText("User name"), "ben");
    await user.click(within(dialog).getByRole("radio", { name: /^Analyst/ }));
    await user.click(within(dialog).getByRole("button", { name: "Create invitation" }));
    expect(
      await within(dialog).findByText("http://localhost:3000/#invitation=invite-2&name=ben"),
    ).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Done" }));
    const row = await rowOf("ben");
    expect(row.textContent).toMatch(/Analyst.*never signed in.*link valid for/);
    expect(state.world.accounts.users[1]).toMatchObject({ name: "ben", role: "analyst" });
  });

  it("further pages of people and devices are loaded on request", async () => {
    const { accounts } = state.world;
    for (let n = 1; n <= 103; n++) accounts.addDevice(accounts.add(`person-${n}`, "viewer"));
    const { user } = open("/settings/people");
    // Queries by role take seconds for this many rows.
    const people = () => screen.getAllByLabelText(/^Edit /).length;
    const devices = () => screen.getAllByText("Sign out").length;
    await waitFor(() => expect(people()).toBe(100));
    await user.click(screen.getByText("Show more people"));
    await waitFor(() => expect(people()).toBe(104));
    expect(screen.queryByText("Show more people")).toBeNull();
    // The current device has no button.
    expect(devices()).toBe(99);
    await user.click(screen.getByText("Show more devices"));
    await waitFor(() => expect(devices()).toBe(103));
  });

  it("taken name is reported at its field", async () => {
    const { user } = open("/settings/people");
    await user.click(await screen.findByRole("button", { name: "Invite" }));
    const dialog = await screen.findByRole("dialog");
    const name = within(dialog).getByLabelText("User name");
    await user.type(name, "ada{Enter}");
    expect(await within(dialog).findByText(/Is taken by another person/)).toBeTruthy();
    expect(name.getAttribute("aria-invalid")).toBe("true");
  });

  it("role is changed and the account disabled", async () => {
    state.world.accounts.add("ben", "viewer");
    const { user } = open("/settings/people");
    await user.click(await screen.findByRole("button", { name: "Edit ben" }));
    const dialog = await screen.findByRole("dialog", { name: "Edit person" });
    await user.click(within(dialog).getByRole("radio", { name: /^Editor/ }));
    await user.click(within(dialog).getByRole("checkbox", { name: /^Disabled/ }));
    expect(within(dialog).getByText(/signs this person out everywhere/)).toBeTruthy();
    await user.click(within(dialog).getByRole("button", { name: "Save" }));
    await waitFor(async () => expect((await rowOf("ben")).textContent).toMatch(/Editor, disabled/));
  });

  it("own account cannot be deleted or demoted", async () => {
    const { user } = open("/settings/people");
    const row = await rowOf("ada (you)");
    expect(within(row).queryByRole("button", { name: "Delete" })).toBeNull();
    await user.click(within(row).getByRole("button", { name: "Edit ada" }));
    const dialog = await screen.findByRole("dialog");
    expect(
      within(dialog)
        .getByRole("radio", { name: /^Viewer/ })
        .matches(":disabled"),
    ).toBe(true);
    expect(within(dialog).getByText(/Only another administrator can change your role/)).toBeTruthy();
  });

  it("device of another person is signed out", async () => {
    state.world.accounts.addDevice(state.world.accounts.add("ben", "viewer"));
    const { user } = open("/settings/people");
    const row = await rowOf("Firefox on Linux");
    expect(row.textContent).toContain("ada");
    await user.click(within(await rowOf("ben, ")).getByRole("button", { name: "Sign out" }));
    const question = await screen.findByRole("dialog", { name: "Sign out ben on this device?" });
    await user.click(within(question).getByRole("button", { name: "Sign out" }));
    await waitFor(() => expect(state.world.accounts.devices).toHaveLength(1));
  });

  it("server without accounts offers to create the first", async () => {
    state.world.accounts.users.length = 0;
    state.world.accounts.current = null;
    const { user } = open("/settings/people");
    await user.type(await screen.findByLabelText("User name"), "root");
    await user.type(screen.getByLabelText("Password"), PASSWORD);
    await user.click(screen.getByRole("button", { name: "Create account" }));
    expect((await rowOf("root (you)")).textContent).toMatch(/Administrator/);
  });
});

describe("own account", () => {
  it("password is changed", async () => {
    const { user } = open("/account");
    await user.type(await screen.findByLabelText("Current password"), "wrong");
    await user.type(screen.getByLabelText("New password"), "another fine battery");
    await user.click(screen.getByRole("button", { name: "Change password" }));
    expect(await screen.findByText(/Is wrong/)).toBeTruthy();
    await user.clear(screen.getByLabelText("Current password"));
    await user.type(screen.getByLabelText("Current password"), PASSWORD);
    await user.click(screen.getByRole("button", { name: "Change password" }));
    expect(await screen.findByText(/Password changed/)).toBeTruthy();
  });

  it("other devices are signed out together", async () => {
    state.world.accounts.addDevice(ada);
    const { user } = open("/account");
    await user.click(await screen.findByRole("button", { name: "Sign out other devices" }));
    const question = await screen.findByRole("dialog");
    await user.click(within(question).getByRole("button", { name: "Sign out other devices" }));
    await waitFor(() => expect(state.world.accounts.devices.map(({ current }) => current)).toEqual([true]));
  });
});

describe("roles", () => {
  beforeEach(() => state.world.accounts.enter(state.world.accounts.add("vera", "viewer")));

  it("viewer sees own name and role and signs out", async () => {
    const { user, url } = open("/topics");
    await user.click(await screen.findByRole("button", { name: "Account of vera" }));
    expect((await screen.findByRole("menu")).textContent).toMatch(/Signed in as vera.*Viewer/);
    await user.click(screen.getByRole("menuitem", { name: "Sign out" }));
    expect(await screen.findByLabelText("Password")).toBeTruthy();
    expect(url()).toBe("/sign-in");
  });

  it.each([
    ["/topics", "topics"],
    ["/sources", "sources"],
    ["/alerts/rules", "rules"],
    ["/alerts/silences", "silences"],
    ["/alerts/receivers", "receivers"],
    ["/alerts/routes", "routes"],
  ])("viewer sees no buttons for changes at %s", async (path, what) => {
    state.world.feeds.push(makeFeed("blog"));
    state.world.topics.add("trains", "train");
    state.world.rules.add({ name: "Anger" });
    open(path);
    expect(await screen.findByText(new RegExp(`You can see ${what} but not change them`))).toBeTruthy();
    // The preview of routes has labels, which are not stored.
    const offered = screen
      .queryAllByRole("button", { name: /^(Add|Edit|Delete|Remove|Pause|Follow|Test) / })
      .filter((button) => !/label/.test(button.getAttribute("aria-label") ?? button.textContent ?? ""));
    expect(offered.map(({ textContent }) => textContent)).toEqual([]);
  });

  it("viewer cannot delete posts and has no settings", async () => {
    state.world.add(makePost({ id: "a", at: Date.now() }));
    open("/posts?post=a");
    await screen.findByText("Emotion scores");
    expect(screen.queryByRole("button", { name: "Delete" })).toBeNull();
    expect(screen.queryByRole("link", { name: "Settings" })).toBeNull();
  });

  it("administrator's page explains to viewers who can open it", async () => {
    open("/settings/audit");
    expect(await screen.findByText("Only administrators can open this page")).toBeTruthy();
    expect(screen.getByRole("link", { name: "Go to the overview" })).toBeTruthy();
  });

  it("rule opens read-only for a viewer", async () => {
    const rule = state.world.rules.add({ name: "Anger", created_at: iso(Date.now()) });
    open(`/alerts/rules/${rule.id}`);
    expect(await screen.findByText("Only editors and administrators can change rules.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Save" })).toBeNull();
  });
});
