import { expect, it } from "vitest";
import type { Point } from "./metrics";
import { turningPoint } from "./turningPoint";

it("turning point is where the share changed", () => {
  const points = Array.from({ length: 20 }, (_, index) => ({
    time: index,
    total: 10,
    negative: index < 12 ? 2 : 9,
  })) as unknown as Point[];
  expect(turningPoint(points, "negative")).toBe(12);
  expect(turningPoint(points.slice(0, 10), "negative")).toBeNull();
});
