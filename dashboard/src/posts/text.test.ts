import { describe, expect, it } from "vitest";
import { explainedPieces } from "./explain";
import { textParts, webLink } from "./textParts";

describe("text parts", () => {
  it("links, mentions and tags are found without losing text", () => {
    const content = "Hi @ada_l, see https://example.org/a?b=1. #größe 👍 mail me@example.org";
    const parts = textParts(content);
    expect(parts.map(({ text }) => text).join("")).toBe(content);
    expect(parts.filter(({ kind }) => kind !== "text")).toEqual([
      { kind: "tag", text: "@ada_l" },
      { kind: "link", text: "https://example.org/a?b=1", href: "https://example.org/a?b=1" },
      { kind: "tag", text: "#größe" },
    ]);
  });

  it("markup and other schemes remain text", () => {
    const content = "<img src=x onerror=alert(1)> javascript:alert(1)";
    expect(textParts(content)).toEqual([{ kind: "text", text: content }]);
  });

  it("web link accepts http and https only", () => {
    expect(webLink("https://example.org")).toBe("https://example.org");
    expect(webLink("javascript:alert(1)")).toBeUndefined();
    expect(webLink("https://")).toBeUndefined();
    expect(webLink(null)).toBeUndefined();
  });
});

describe("explained pieces", () => {
  const analysis = (
    words: { text: string; start: number; end: number; sentiment: number; emotion: number }[],
  ) => ({
    label: "positive" as const,
    confidence: 0.9,
    emotion: "joy" as const,
    scores: {
      sentiment: { positive: 0.9, neutral: 0.1, negative: 0 },
      emotion: { anger: 0, disgust: 0, fear: 0, joy: 1, neutral: 0, sadness: 0, surprise: 0 },
    },
    model: "m",
    tokens: 3,
    truncated: false,
    explanation: { words },
  });

  it("word positions count characters, not UTF-16 units", () => {
    const text = "so  😀 great\nday";
    const found = explainedPieces(
      text,
      analysis([
        { text: "😀", start: 4, end: 5, sentiment: 0.2, emotion: 0.1 },
        { text: "great", start: 6, end: 11, sentiment: 0.6, emotion: -0.1 },
      ]),
    );
    expect(found.map((piece) => piece.text).join("")).toBe(text);
    expect(found.map((piece) => [piece.text, piece.influence?.sentiment])).toEqual([
      ["so  ", undefined],
      ["😀", 0.2],
      [" ", undefined],
      ["great", 0.6],
      ["\nday", undefined],
    ]);
  });

  it("text without an explanation is one piece", () => {
    expect(explainedPieces("unchanged", analysis([]))).toEqual([{ text: "unchanged", influence: null }]);
  });
});
