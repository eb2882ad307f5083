import { describe, expect, it } from "vitest";
import type { SourceKind } from "@/api/types";
import { plainHelp, requestOf, valuesOf } from "./values";

const kind: SourceKind = {
  kind: "mastodon",
  title: "Mastodon",
  about: "",
  fields: [
    { key: "instances", title: "Instances", help: "", type: "list", required: true, default: [] },
    { key: "local", title: "Local", help: "", type: "boolean", required: false, default: true },
    { key: "sample", title: "Sample", help: "", type: "number", required: false, default: 1 },
    { key: "interval", title: "Interval", help: "", type: "duration", required: false, default: "15s" },
    { key: "token", title: "Token", help: "", type: "secret", required: false, default: null },
  ],
};

describe("values of a source", () => {
  it("form holds settings and defaults", () => {
    expect(valuesOf(kind, { instances: ["a.org", "b.org"], local: false })).toEqual({
      instances: "a.org\nb.org",
      local: false,
      sample: "1",
      interval: "15s",
      token: "",
    });
  });

  it("request leaves out defaults and empty secrets", () => {
    const values = { ...valuesOf(kind, {}), instances: " a.org \n\n", sample: "0.5" };
    expect(requestOf("m", kind, values)).toEqual({
      name: "m",
      kind: "mastodon",
      settings: { instances: ["a.org"], sample: 0.5 },
      secrets: {},
    });
    expect(requestOf("m", kind, { ...values, token: "x" }).secrets).toEqual({ token: "x" });
  });
});

it("help has no notation of the configuration file", () => {
  expect(plainHelp('Feeds: ["https://a.example/feed.xml"]. A source needs this or `opml`.')).toBe(
    "Feeds: https://a.example/feed.xml. A source needs this or opml.",
  );
  expect(plainHelp('How far back to read, up to "90d" and 20,000 posts. "0s": only new posts.')).toBe(
    "How far back to read, up to 90 days and 20,000 posts.",
  );
  expect(plainHelp("Words in [brackets] stay.")).toBe("Words in [brackets] stay.");
});
