import type { Period } from "@/api/types";
import { count, percent, signed } from "@/lib/format";

/** A point of a series. The value is `null` without posts. */
export interface Spot {
  time: number;
  value: number | null;
}

/** Two series whose n-th points are compared. */
export interface CourseProps {
  later: readonly Spot[];
  earlier: readonly Spot[];
  period: Period;
  unit: "posts" | "percent" | "points";
}

/** Formats a value of a series. */
export function spotText(unit: CourseProps["unit"], value: number | null | undefined): string {
  if (value == null) return "no posts";
  return { posts: count, percent, points: signed }[unit](value);
}
