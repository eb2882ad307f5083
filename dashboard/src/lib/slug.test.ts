import { expect, it } from "vitest";
import { slugOf } from "./slug";

it.each([
  ["Acme Phone", "acme-phone"],
  ["  Crème Brûlée & Co. ", "creme-brulee-co."],
  ["Straße", "strasse"],
  ["acme_phone.v2", "acme_phone.v2"],
  ["日本", "topic-qmsg4k"],
  [" (!) ", ""],
  ["x".repeat(80), "x".repeat(64)],
])("slug of %s is %s", (text, slug) => {
  expect(slugOf(text)).toBe(slug);
});
