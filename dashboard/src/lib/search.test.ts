import { describe, expect, it } from "vitest";
import { filterCount, parseSearch, readQuery, withSearch, writeQuery } from "./search";

const through = (query: string) => writeQuery({ ...parseSearch(readQuery(query)) });

describe("the state in the URL", () => {
  it("comes back as it was written", () => {
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

  it("leaves out what it does not understand", () => {
    expect(through("?range=9y&sentiment=meh&emotion=bliss&min=7&q=%20&colour=red&from=never")).toBe("");
  });

  it("leaves the usual range unsaid", () => {
    expect(through("?range=1h")).toBe("");
  });

  it("takes bounds before a named range, in UTC and in order", () => {
    expect(parseSearch({ range: "7d", from: "2026-03-01T10:00+02:00", to: "2026-03-01T09:00Z" })).toEqual({
      from: "2026-03-01T08:00:00.000Z",
      to: "2026-03-01T09:00:00.000Z",
    });
    expect(parseSearch({ from: "2026-03-01T10:00Z", to: "2026-03-01T09:00Z" })).toEqual({
      from: "2026-03-01T10:00:00.000Z",
    });
  });

  it("keeps texts that look like numbers or JSON as texts", () => {
    expect(parseSearch(readQuery("?q=123&source=true"))).toEqual({ q: "123", source: "true" });
  });

  it("closes the drawer when something else is chosen", () => {
    expect(withSearch({ post: "1", source: "web" }, { emotion: "joy" })).toEqual({
      source: "web",
      emotion: "joy",
    });
  });

  it("counts filters without time and drawer", () => {
    expect(filterCount({ range: "7d", post: "1", source: "web", q: "x" })).toBe(2);
  });
});
