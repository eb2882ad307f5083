import { render } from "@testing-library/react";
import { expect, it } from "vitest";
import { Sparkline } from "./Sparkline";

function lines(values: readonly (number | null)[]): number {
  const { container } = render(<Sparkline values={values} color="red" />);
  return container.querySelectorAll("polyline").length;
}

it("sparkline of a fraction of the range is not drawn", () => {
  const before = Array.from({ length: 57 }, () => null);
  expect(lines([...before, 4, 9, 7])).toBe(0);
  expect(lines([...before.slice(10), ...Array.from({ length: 13 }, (_, n) => n)])).toBe(1);
});

it("sparkline is interrupted where values are missing", () => {
  expect(lines([1, 2, null, 4, 3])).toBe(2);
  expect(lines([null, 3, null])).toBe(0);
});
