import { expect, test, vi } from "vitest";
import { getAuthorNames } from "@/api/endpoints";
import { isNamed, nameOf } from "./authorNames";

vi.mock("@/api/endpoints", () => ({ getAuthorNames: vi.fn() }));

test("authors shown together share one request", async () => {
  const request = vi.mocked(getAuthorNames).mockResolvedValue({ "did:plc:a": "ada.example" });
  const found = await Promise.all([nameOf("did:plc:a"), nameOf("did:plc:b"), nameOf("did:plc:a")]);
  expect(found).toEqual(["ada.example", null, "ada.example"]);
  expect(request.mock.calls).toEqual([[["did:plc:a", "did:plc:b"]]]);
  await nameOf("did:plc:c");
  expect(request).toHaveBeenCalledTimes(2);
});

test("names are requested for DIDs only", () => {
  const named = ["did:plc:a", "did:web:x.example", "ada@fosstodon.org", "ada"].filter(isNamed);
  expect(named).toEqual(["did:plc:a", "did:web:x.example"]);
});
