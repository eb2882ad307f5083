import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { type Answer, ok } from "@/testing/answer";
import { makeLetter } from "@/testing/answers";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";

const { state } = serve();
const AWAY = { status: 503, json: { title: "Unavailable", status: 503, detail: "the database is away" } };
const TITLE = /The service is temporarily unavailable/;

describe("failed requests", () => {
  it("failed sign-out dialog stays open while it is retried", async () => {
    const { accounts } = state.world;
    accounts.enter(accounts.add("ada", "admin"));
    state.intercept = ({ method }) => (method === "DELETE" ? AWAY : undefined);
    const { user, url } = open("/alerts");
    await user.click(await screen.findByRole("button", { name: "Account of ada" }));
    await user.click(await screen.findByRole("menuitem", { name: "Sign out" }));
    const dialog = await screen.findByRole("dialog", { name: "Sign-out failed" });
    expect(within(dialog).getByRole("alert").textContent).toMatch(TITLE);
    let fail = () => {};
    const failed = new Promise<Answer>((resolve) => {
      fail = () => resolve(AWAY);
    });
    state.intercept = ({ method }) => (method === "DELETE" ? failed : undefined);
    const retry = within(dialog).getByRole<HTMLButtonElement>("button", { name: "Sign out" });
    await user.click(retry);
    await waitFor(() => expect(retry.disabled).toBe(true));
    expect(dialog.isConnected).toBe(true);
    fail();
    await waitFor(() => expect(retry.disabled).toBe(false));
    expect(screen.getByRole("dialog")).toBe(dialog);
    state.intercept = () => undefined;
    await user.click(retry);
    await waitFor(() => expect(url()).toBe("/sign-in"));
  });

  it("failed next page of posts is shown and read on request", async () => {
    state.world.add(makePost({ id: "a", at: Date.now(), content: "First page" }));
    const pages = () => state.requests.filter((line) => line.includes("cursor=")).length;
    state.intercept = ({ method }, { pathname, searchParams }) => {
      // The live feed reads posts without a start date.
      if (method !== "GET" || pathname !== "/api/posts" || !searchParams.has("start_date")) return undefined;
      return searchParams.has("cursor") ? AWAY : ok({ ...state.world.page(searchParams), next_cursor: "1" });
    };
    const { user, settled } = open("/posts");
    expect(await screen.findByText("First page")).toBeTruthy();
    expect((await screen.findByRole("alert")).textContent).toMatch(TITLE);
    await settled();
    expect(pages()).toBe(1);
    state.intercept = () => undefined;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("End of list")).toBeTruthy();
    expect(screen.getByText("First page")).toBeTruthy();
  });

  it("failed next page of dead letters shows the error", async () => {
    state.world.deadLetters = [makeLetter("1", "bad source", "Fine")];
    state.intercept = (_, { pathname, searchParams }) => {
      if (pathname !== "/api/dead-letters") return undefined;
      if (searchParams.has("cursor")) return AWAY;
      return ok({ dead_letters: state.world.deadLetters, total: 2, limit: 50, next_cursor: "1" });
    };
    const { user } = open("/system");
    await user.click(await screen.findByRole("button", { name: "Show more" }));
    expect((await screen.findByRole("alert")).textContent).toMatch(TITLE);
    expect(screen.getByText("bad source")).toBeTruthy();
  });

  it("number of running rules is not shown if it is unknown", async () => {
    state.intercept = (_, { pathname }) => (pathname === "/api/alerts/rules" ? AWAY : undefined);
    const { settled } = open("/alerts");
    expect(await screen.findByText(/No active alerts/)).toBeTruthy();
    await settled();
    expect(screen.getByRole("link", { name: "View rules" })).toBeTruthy();
    expect(screen.queryByText(/0 rules/)).toBeNull();
  });
});
