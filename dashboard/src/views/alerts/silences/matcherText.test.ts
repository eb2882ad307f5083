import { describe, expect, it } from "vitest";
import { readMatchers } from "./matcherText";

describe("matchers in a link", () => {
  it("notification link is parsed", () => {
    expect(readMatchers('alertname="Mood, \\"Acme\\"",source="rss"')).toEqual([
      { label: "alertname", op: "=", value: 'Mood, "Acme"' },
      { label: "source", op: "=", value: "rss" },
    ]);
  });

  it("other comparisons, escapes and braces are parsed", () => {
    expect(readMatchers('{severity=~"warning|critical", team!=web}')).toEqual([
      { label: "severity", op: "=~", value: "warning|critical" },
      { label: "team", op: "!=", value: "web" },
    ]);
    expect(readMatchers('text="a\\u{301}\\n\\\\"')?.[0]?.value).toBe("a\u0301\n\\");
  });

  it("other text is not a list of matchers", () => {
    for (const text of ["", "acme", 'alertname="open', "=x", '"a"="b"'])
      expect(readMatchers(text)).toBeNull();
  });
});
