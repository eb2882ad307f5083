import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { makePost } from "@/testing/world";

const { state, publish } = serve();

describe("connection", () => {
  it("lost connection is shown and missed posts are loaded", async () => {
    state.world.add(makePost({ id: "a", at: Date.now() - 1_000, content: "Before" }));
    open("/live");
    await screen.findByText("Live", { selector: "[role=status]" });
    await screen.findByText("Before");
    state.world.add(makePost({ id: "b", at: Date.now(), content: "Meanwhile" }));
    state.connections.at(-1)?.client.close();
    expect(await screen.findByText(/The live connection was lost/)).toBeTruthy();
    expect(await screen.findByText("Meanwhile")).toBeTruthy();
    await waitFor(() => expect(screen.queryByText(/The live connection was lost/)).toBeNull());
    expect(screen.getAllByText("Before")).toHaveLength(1);
  });
});

describe("live feed", () => {
  it("feed under the pointer pauses and counts new posts", async () => {
    state.world.add(makePost({ id: "a", at: Date.now() - 1_000, content: "Being read" }));
    const { user } = open("/live");
    await screen.findByText("Being read");
    await screen.findByText("Live", { selector: "[role=status]" });
    const feed = screen.getByRole("region", { name: "Newest posts" });
    fireEvent.pointerMove(feed);
    publish(makePost({ id: "b", at: Date.now(), content: "New one" }));
    publish(makePost({ id: "c", at: Date.now(), content: "New two" }));
    const button = await screen.findByRole("button", { name: "2 new posts" });
    expect(within(feed).queryByText("New one")).toBeNull();
    // The button is part of the feed, so the feed stays paused.
    fireEvent.pointerOut(feed, { relatedTarget: button });
    expect(within(feed).queryByText("New one")).toBeNull();
    await user.click(button);
    expect(within(feed).getByText("New two")).toBeTruthy();
  });

  it("markup in a post is shown as text", async () => {
    state.world.add(makePost({ id: "a", at: Date.now(), content: "<b>bold</b> https://example.org/x" }));
    open("/live");
    expect(await screen.findByText(/<b>bold<\/b>/)).toBeTruthy();
    const link = screen.getByRole("link", { name: "https://example.org/x" });
    expect(link.getAttribute("rel")).toContain("noopener");
  });
});

describe("sign-in", () => {
  const guarded = (request: Request, url: URL) => {
    if (request.headers.get("Authorization") === "Bearer secret-1") {
      const session = { ...state.world.accounts.session(), authenticated: true, kind: "token", name: "ci" };
      return url.pathname === "/api/session" ? { status: 200, json: session } : undefined;
    }
    if (url.pathname === "/api/session") return undefined;
    return { status: 401, json: { title: "Unauthorized", detail: "A bearer token is needed." } };
  };

  it("token is stored for the session and sent everywhere", async () => {
    state.intercept = guarded;
    state.world.accounts.required = true;
    state.world.add(makePost({ id: "a", at: Date.now(), content: "Needs a token" }));
    const { user, url } = open("/posts?q=needs");
    await user.type(await screen.findByLabelText("Access token"), "wrong{Enter}");
    expect((await screen.findByRole("alert")).textContent).toMatch(/does not accept this token/);
    expect(sessionStorage.getItem("sentistream.token")).toBeNull();
    await user.clear(screen.getByLabelText("Access token"));
    await user.type(screen.getByLabelText("Access token"), "secret-1{Enter}");
    expect(await screen.findByText(/Needs a token|a token/)).toBeTruthy();
    expect(url()).toBe("/posts?q=needs");
    expect(sessionStorage.getItem("sentistream.token")).toBe("secret-1");
    expect(localStorage.length).toBe(0);
    await waitFor(() => {
      const protocols = state.connections.at(-1)?.info.protocols;
      expect(protocols).toEqual(["sentistream", "bearer.secret-1"]);
    });
    await user.click(await screen.findByRole("button", { name: "Account of ci" }));
    await user.click(await screen.findByRole("menuitem", { name: "Sign out" }));
    await waitFor(() => expect(sessionStorage.getItem("sentistream.token")).toBeNull());
    await waitFor(() => expect(url()).toBe("/sign-in"));
  });

  it("missing scope is explained", async () => {
    state.world.add(makePost({ id: "a", at: Date.now() }));
    state.intercept = (request) =>
      request.method === "DELETE"
        ? { status: 403, json: { title: "Forbidden", detail: "the token lacks the scope admin" } }
        : undefined;
    const { user } = open("/posts?post=a");
    await user.click(await screen.findByRole("button", { name: "Delete" }));
    const question = await screen.findByRole("dialog", { name: "Delete this post?" });
    await user.click(within(question).getByRole("button", { name: "Delete" }));
    expect(await screen.findByText(/Only administrators can do this/)).toBeTruthy();
  });
});

describe("shortcuts", () => {
  it("shortcuts open the list, a view and the search", async () => {
    const { user, url } = open("/?source=web");
    await screen.findByRole("heading", { name: "Overview" });
    await user.keyboard("?");
    await screen.findByRole("dialog", { name: "Keyboard shortcuts" });
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await user.keyboard("9");
    await screen.findByRole("heading", { name: "System" });
    await user.keyboard("/");
    const field = await screen.findByRole("searchbox", { name: "Search posts" });
    await waitFor(() => expect(document.activeElement).toBe(field));
    await user.keyboard("rain 3?");
    await waitFor(() => expect(url()).toBe("/posts?source=web&q=rain+3%3F"));
  });
});

it("unknown path links to the overview", async () => {
  open("/nowhere");
  expect(await screen.findByText("Page not found")).toBeTruthy();
});
