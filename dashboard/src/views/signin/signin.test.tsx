import { screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it } from "vitest";
import { takeLink } from "@/api/signInLink";
import { PASSWORD } from "@/testing/accounts";
import { open, serve } from "@/testing/app";

const { state } = serve();

/** Refuses requests without a session, like the server. */
beforeEach(() => {
  state.intercept = ({ method }, { pathname }) => {
    const isOpen = ["/api/session", "/api/setup", "/api/invitation", "/api/sign-in"].includes(pathname);
    if (isOpen || state.world.accounts.session().authenticated) return undefined;
    return { status: 401, json: { title: "Unauthorized", detail: `${method}: sign in` } };
  };
});

/** Opens the page with the fragment of a link from an e-mail or from the log. */
function openLink(hash: string) {
  window.history.replaceState(null, "", `/${hash}`);
  takeLink();
  const { pathname, search } = window.location;
  return open(pathname + search);
}

describe("sign-in with a password", () => {
  it("refused page is shown after signing in", async () => {
    state.world.accounts.add("anna", "viewer");
    const { user, url } = open("/topics?range=7d");
    const name = await screen.findByLabelText<HTMLInputElement>("User name");
    expect(url()).toBe("/sign-in?return=%2Ftopics%3Frange%3D7d");
    expect(document.activeElement).toBe(name);
    expect(name.autocomplete).toBe("username");
    expect(screen.getByLabelText<HTMLInputElement>("Password").autocomplete).toBe("current-password");
    await user.keyboard(`anna{Tab}${PASSWORD}{Enter}`);
    expect(await screen.findByRole("heading", { name: "Topics" })).toBeTruthy();
    expect(url()).toBe("/topics?range=7d");
  });

  it("wrong password keeps the name and says what to do", async () => {
    state.world.accounts.add("anna", "viewer");
    const { user } = open("/sign-in");
    await user.type(await screen.findByLabelText("User name"), "anna");
    await user.type(screen.getByLabelText("Password"), "wrong{Enter}");
    expect((await screen.findByRole("alert")).textContent).toMatch(/user name or the password is wrong/);
    expect(screen.getByLabelText<HTMLInputElement>("User name").value).toBe("anna");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText("Password")));
  });

  it("throttled attempt counts down before the next one", async () => {
    state.world.accounts.add("anna", "viewer");
    const { user } = open("/sign-in");
    await user.type(await screen.findByLabelText("User name"), "anna");
    const before = state.intercept;
    state.intercept = (request, url) =>
      request.method === "POST"
        ? { status: 429, json: { title: "Too many" }, headers: { "Retry-After": "5" } }
        : before(request, url);
    await user.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
    expect((await screen.findByRole("alert")).textContent).toMatch(
      /Too many attempts\. Try again in [1-5] s\./,
    );
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Sign in" }).disabled).toBe(true);
    state.intercept = before;
    const button = screen.getByRole<HTMLButtonElement>("button", { name: "Sign in" });
    await waitFor(() => expect(button.disabled).toBe(false));
    await user.click(button);
    expect(await screen.findByRole("heading", { name: "Overview" })).toBeTruthy();
  });

  it("error of a field that the form does not highlight is shown", async () => {
    state.world.accounts.add("anna", "viewer");
    const { user } = open("/sign-in");
    await user.type(await screen.findByLabelText("User name"), "anna");
    const others = state.intercept;
    const errors = [{ field: "name", message: "must be shorter" }];
    state.intercept = (request, url) =>
      request.method === "POST" ? { status: 422, json: { title: "Invalid", errors } } : others(request, url);
    await user.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
    expect((await screen.findByRole("alert")).textContent).toContain("Check your input. Must be shorter.");
  });

  it("ended session leads to the sign-in page with the reason", async () => {
    state.world.accounts.enter(state.world.accounts.add("anna", "viewer"));
    const { user } = open("/topics");
    await screen.findByText("No topics");
    state.world.accounts.current = null;
    state.intercept = (_, { pathname }) =>
      pathname === "/api/session"
        ? undefined
        : { status: 401, json: { title: "Unauthorized", detail: "the session has ended: sign in again" } };
    await user.click(screen.getByRole("link", { name: "System" }));
    expect(await screen.findByText("Your session has ended. Sign in again.")).toBeTruthy();
  });

  it("address of another site is not followed", async () => {
    state.world.accounts.enter(state.world.accounts.add("anna", "viewer"));
    const { url } = open("/sign-in?return=https://evil.example");
    await waitFor(() => expect(url()).toBe("/"));
  });
});

describe("sign-in with a provider", () => {
  it("provider link has return path, provider error is explained", async () => {
    state.world.accounts.add("anna", "viewer");
    state.world.accounts.oidc = [{ name: "Acme", url: "/api/session/oidc/start" }];
    open("/sign-in?return=/alerts&error=no_role");
    const link = await screen.findByRole("link", { name: "Sign in with Acme" });
    expect(link.getAttribute("href")).toBe("/api/session/oidc/start?return=%2Falerts");
    expect(screen.getByText(/has no access to SentiStream/)).toBeTruthy();
  });
});

describe("links", () => {
  it("invited person chooses a password and is signed in", async () => {
    const { accounts } = state.world;
    accounts.invitations.set("code-1", accounts.add("anna", "viewer", { has_password: false }).id);
    const { user } = openLink("#invitation=code-1&name=anna");
    expect((await screen.findByLabelText<HTMLInputElement>("User name")).value).toBe("anna");
    const password = screen.getByLabelText<HTMLInputElement>("Password");
    expect(password.autocomplete).toBe("new-password");
    await user.type(password, `${PASSWORD}{Enter}`);
    expect(await screen.findByRole("heading", { name: "Overview" })).toBeTruthy();
    expect(accounts.current?.name).toBe("anna");
  });

  it("used invitation offers another way to sign in", async () => {
    state.world.accounts.add("anna", "viewer");
    const { user } = openLink("#invitation=code-2");
    await user.type(await screen.findByLabelText("Password"), `${PASSWORD}{Enter}`);
    expect((await screen.findByRole("alert")).textContent).toMatch(/used or has expired/);
    await user.click(screen.getByRole("button", { name: "I have a password" }));
    expect(await screen.findByRole("button", { name: "Sign in" })).toBeTruthy();
  });

  it("link of the first start creates the administrator", async () => {
    state.world.accounts.required = true;
    const { user } = openLink("#sign-in=code-3");
    await user.type(await screen.findByLabelText("User name"), "root");
    await user.type(screen.getByLabelText("Password"), `${PASSWORD}{Enter}`);
    expect(await screen.findByRole("heading", { name: "Overview" })).toBeTruthy();
    expect(state.world.accounts.users[0]).toMatchObject({ name: "root", role: "admin" });
  });

  it("sign-in link on a server with accounts gives a token", async () => {
    state.world.accounts.add("anna", "admin");
    const before = state.intercept;
    state.intercept = (request, url) => {
      if (url.pathname === "/api/sign-in") {
        return { status: 201, json: { token: "sst_1", name: "sign-in", scopes: ["read"] } };
      }
      if (request.headers.get("Authorization") !== "Bearer sst_1") return before(request, url);
      const session = { ...state.world.accounts.session(), authenticated: true, kind: "token" };
      return url.pathname === "/api/session" ? { status: 200, json: session } : undefined;
    };
    openLink("#sign-in=code-4");
    expect(await screen.findByRole("heading", { name: "Overview" })).toBeTruthy();
    expect(sessionStorage.getItem("sentistream.token")).toBe("sst_1");
  });

  it("server without accounts explains how to create the first", async () => {
    state.world.accounts.required = true;
    open("/");
    expect(await screen.findByText("sentistream sign-in")).toBeTruthy();
    expect(screen.getByLabelText("Access token")).toBeTruthy();
  });
});
