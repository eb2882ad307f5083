import { afterEach, expect, test, vi } from "vitest";
import { readToken, writeToken } from "./session";
import { signInByLink } from "./signInLink";

afterEach(() => {
  vi.restoreAllMocks();
  writeToken(null);
  window.history.replaceState(null, "", "/");
});

test("sign-in link gives a token and is removed from the URL", async () => {
  window.history.replaceState(null, "", "/posts?q=a#sign-in=code-1");
  const answer = { token: "sst_1", name: "sign-in", scopes: ["read"], expires_at: null };
  const send = vi
    .spyOn(window, "fetch")
    .mockResolvedValue(
      new Response(JSON.stringify(answer), { status: 201, headers: { "content-type": "application/json" } }),
    );
  await signInByLink();
  const request = send.mock.calls[0]?.[0] as Request | undefined;
  expect(await request?.json()).toEqual({ code: "code-1" });
  expect(readToken()).toBe("sst_1");
  expect(window.location.href).toMatch(/\/posts\?q=a$/);
});

test("other fragments are not changed", async () => {
  window.history.replaceState(null, "", "/#chart");
  await signInByLink();
  expect(window.location.hash).toBe("#chart");
});
