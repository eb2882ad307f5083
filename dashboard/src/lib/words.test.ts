import { expect, it } from "vitest";
import { risenWords, wordsOf } from "./words";

it("words leave out links, names, numbers and stop words", () => {
  expect([...wordsOf("The refund of @acme is at https://example.org/refunds 2026, REFUND now!")]).toEqual([
    "refund",
  ]);
  expect([...wordsOf("返金してください")].length).toBeGreaterThan(0);
});

it("risen words have rates on both sides and exclude steady words", () => {
  const before = Array.from({ length: 200 }, (_, n) => (n % 2 ? "nice weather today" : "a quiet morning"));
  const now = [...before.slice(0, 150), ...Array.from({ length: 50 }, () => "my refund is late")];
  expect(
    risenWords(now, before, 8)
      .map(({ word }) => word)
      .sort(),
  ).toEqual(["late", "refund"]);
  expect(risenWords(now, before, 1)[0]).toMatchObject({ now: 25, before: 0 });
  expect(risenWords(before, before, 8)).toEqual([]);
  expect(risenWords(now, [], 8)).toEqual([]);
});
