import { afterEach, describe, expect, it } from "vitest";
import { forgetLink, openedLink, safeReturn, takeLink } from "./signInLink";

afterEach(() => {
  forgetLink();
  window.history.replaceState(null, "", "/");
});

describe("sign-in link", () => {
  it("code is taken out of the address bar", () => {
    window.history.replaceState(null, "", "/posts?q=a#sign-in=code-1");
    takeLink();
    expect(openedLink()).toEqual({ kind: "sign-in", code: "code-1", name: "" });
    expect(window.location.href).toMatch(/\/sign-in\?return=%2Fposts%3Fq%3Da$/);
  });

  it("invitation has the name of the person", () => {
    window.history.replaceState(null, "", "/#invitation=code-2&name=Anna%20B");
    takeLink();
    expect(openedLink()).toEqual({ kind: "invitation", code: "code-2", name: "Anna B" });
    expect(window.location.href).toMatch(/\/sign-in$/);
  });

  it("other fragments are not changed", () => {
    window.history.replaceState(null, "", "/#chart");
    takeLink();
    expect(openedLink()).toBeNull();
    expect(window.location.hash).toBe("#chart");
  });
});

describe("return path", () => {
  it.each([
    ["/posts?q=a", "/posts?q=a"],
    ["//evil.example", "/"],
    ["/\\evil.example", "/"],
    ["https://evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["/\t/evil.example", "/"],
    ["/sign-in?return=/x", "/"],
    [undefined, "/"],
  ])("%s leads to %s", (text, path) => {
    expect(safeReturn(text)).toBe(path);
  });
});
