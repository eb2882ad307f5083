import type { Period } from "@/api/types";
import { bucketText } from "@/charts/axis";
import { TimeTable } from "@/charts/TimeTable";
import { count, percent, signed } from "@/lib/format";
import { bucketLength } from "@/lib/range";

/** A bucket of a course; no value where there are no posts. */
export interface Spot {
  time: number;
  value: number | null;
}

/** Two courses of which the n-th buckets belong together. */
export interface CourseProps {
  later: readonly Spot[];
  earlier: readonly Spot[];
  period: Period;
  unit: "posts" | "percent" | "points";
}

/** A value of a course as people read it. */
export function spotText(unit: CourseProps["unit"], value: number | null | undefined): string {
  if (value == null) return "no posts";
  return { posts: count, percent, points: signed }[unit](value);
}

/** Both courses in numbers. */
export function CourseTable({ later, earlier, period, unit }: CourseProps) {
  return (
    <TimeTable
      label="Both periods as a table"
      rows={later.map((spot, index) => ({ ...spot, before: earlier[index]?.value }))}
      at={({ time }) => time}
      time={({ time }) => bucketText(time, time + bucketLength(period), period)}
      columns={[
        { key: "before", head: "Earlier", cell: ({ before }) => spotText(unit, before), look: "text-quiet" },
        { key: "value", head: "Later", cell: ({ value }) => spotText(unit, value) },
      ]}
    />
  );
}
