import { describe, expect, it } from "vitest";
import { influences, pieces, variants } from "./explain";
import { textParts, webLink } from "./textParts";

describe("a post's text", () => {
  it("has links, mentions and tags, and loses nothing", () => {
    const content = "Hi @ada_l, see https://example.org/a?b=1. #größe 👍 mail me@example.org";
    const parts = textParts(content);
    expect(parts.map(({ text }) => text).join("")).toBe(content);
    expect(parts.filter(({ kind }) => kind !== "text")).toEqual([
      { kind: "tag", text: "@ada_l" },
      { kind: "link", text: "https://example.org/a?b=1", href: "https://example.org/a?b=1" },
      { kind: "tag", text: "#größe" },
    ]);
  });

  it("leaves markup and other schemes as text", () => {
    const content = "<img src=x onerror=alert(1)> javascript:alert(1)";
    expect(textParts(content)).toEqual([{ kind: "text", text: content }]);
  });

  it("follows links to web pages alone", () => {
    expect(webLink("https://example.org")).toBe("https://example.org");
    expect(webLink("javascript:alert(1)")).toBeUndefined();
    expect(webLink("https://")).toBeUndefined();
    expect(webLink(null)).toBeUndefined();
  });
});

describe("the words that drove a result", () => {
  const analysis = (confidence: number) => ({
    label: "positive" as const,
    confidence,
    emotion: "joy" as const,
    scores: {
      sentiment: { positive: confidence, neutral: 1 - confidence, negative: 0 },
      emotion: { anger: 0, disgust: 0, fear: 0, joy: 1, neutral: 0, sadness: 0, surprise: 0 },
    },
    model: "m",
    tokens: 3,
    truncated: false,
  });

  it("are found by leaving each out", () => {
    const text = "so  great\nday";
    expect(pieces(text).join("")).toBe(text);
    expect(variants(text)).toEqual([text, "  great\nday", "so  \nday", "so  great\n"]);
    const found = influences(text, [analysis(0.9), analysis(0.9), analysis(0.3), analysis(0.95)]);
    expect(found.map((word) => [word.text, word.influence && Math.round(word.influence * 100)])).toEqual([
      ["so", 0],
      ["  ", null],
      ["great", 60],
      ["\n", null],
      ["day", -5],
    ]);
  });

  it("are not sought in a text of one word", () => {
    expect(variants("great")).toEqual(["great"]);
    expect(influences("great", [analysis(0.9)])).toEqual([{ text: "great", influence: null }]);
  });
});
