import type { Period } from "@/api/types";
import { bucketText } from "@/charts/axis";
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

/** Both courses in numbers, newest first. */
export function CourseTable({ later, earlier, period, unit }: CourseProps) {
  const when = (time: number) => bucketText(time, time + bucketLength(period), period);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="h-full overflow-auto" tabIndex={0} aria-label="Both periods as a table">
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            <th scope="col" className="px-2 py-1 font-medium">
              Earlier
            </th>
            <th scope="col" className="py-1 font-medium">
              Later
            </th>
          </tr>
        </thead>
        <tbody>
          {later
            .map(({ time, value }, index) => (
              <tr key={time} className="border-t border-border">
                <th scope="row" className="py-1 text-left font-normal">
                  {when(time)}
                </th>
                <td className="px-2 py-1 text-quiet">{spotText(unit, earlier[index]?.value)}</td>
                <td className="py-1">{spotText(unit, value)}</td>
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </section>
  );
}
