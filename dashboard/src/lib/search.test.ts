import { describe, expect, it } from "vitest";
import { filterCount, parseSearch, readQuery, unusableParams, withSearch, writeQuery } from "./search";

const through = (query: string) => writeQuery({ ...parseSearch(readQuery(query)) });

describe("search", () => {
  it("search is unchanged after a round trip through the URL", () => {
    const query =
      "?range=7d&sentiment=negative&emotion=fear&min=0.8&source=my.source&author=%C3%A9lan+vital&q=100%25+%26+more&post=at%3A%2F%2Fdid%2F1";
    const search = parseSearch(readQuery(query));
    expect(search).toEqual({
      range: "7d",
      sentiment: "negative",
      emotion: "fear",
      min: 0.8,
      source: "my.source",
      author: "élan vital",
      q: "100% & more",
      post: "at://did/1",
    });
    expect(parseSearch(readQuery(writeQuery({ ...search })))).toEqual(search);
  });

  it("invalid values are dropped", () => {
    expect(through("?range=9y&sentiment=meh&emotion=bliss&min=7&q=%20&colour=red&from=never")).toBe("");
  });

  it("chosen range is always in the URL", () => {
    expect(through("?range=1h")).toBe("?range=1h");
    expect(through("?range=last-week")).toBe("?range=last-week");
  });

  it("unusable values are reported with their key", () => {
    const keysOf = (query: string) => unusableParams(readQuery(query)).map(({ key }) => key);
    expect(keysOf("?from=abc")).toEqual(["from"]);
    expect(keysOf("?range=9y&against=zz&sentiment=foo&min=7")).toEqual([
      "range",
      "sentiment",
      "against",
      "min",
    ]);
    expect(keysOf("?to=2026-03-01T10:00Z")).toEqual(["to"]);
    expect(keysOf("?from=2026-03-01T10:00Z&range=7d&utm_source=x&q=")).toEqual([]);
    expect(keysOf("?from=%2B275760-09-13T00:00:00.000Z")).toEqual(["from"]);
  });

  it("custom bounds replace a preset and an earlier end is dropped", () => {
    expect(parseSearch({ range: "7d", from: "2026-03-01T10:00+02:00", to: "2026-03-01T09:00Z" })).toEqual({
      from: "2026-03-01T08:00:00.000Z",
      to: "2026-03-01T09:00:00.000Z",
    });
    expect(parseSearch({ from: "2026-03-01T10:00Z", to: "2026-03-01T09:00Z" })).toEqual({
      from: "2026-03-01T10:00:00.000Z",
    });
  });

  it("text that looks like a number stays text", () => {
    expect(parseSearch(readQuery("?q=123&source=true"))).toEqual({ q: "123", source: "true" });
  });

  it("changed filter closes the drawer", () => {
    expect(withSearch({ post: "1", source: "web" }, { emotion: "joy" })).toEqual({
      source: "web",
      emotion: "joy",
    });
  });

  it("filter count ignores time and drawer", () => {
    expect(filterCount({ range: "7d", post: "1", source: "web", q: "x" })).toBe(2);
  });
});
