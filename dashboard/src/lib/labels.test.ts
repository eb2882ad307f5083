import { expect, it } from "vitest";
import { sentence } from "./labels";

it("label becomes a sentence unless it starts with a URL", () => {
  expect(sentence("not a feed")).toBe("Not a feed");
  expect(sentence("http://127.0.0.1/…: not a feed")).toBe("http://127.0.0.1/…: not a feed");
  expect(sentence("wss://host/…: no answer")).toBe("wss://host/…: no answer");
});
