import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Period } from "@/api/types";
import type { Point } from "@/lib/metrics";
import { spanOf } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { cx } from "@/ui/cx";
import { bucketText } from "./axis";

interface Column {
  key: string;
  head: ReactNode;
  cell: (point: Point) => ReactNode;
}

interface PointTableProps {
  label: string;
  points: readonly Point[];
  period: Period;
  search: Search;
  columns: readonly Column[];
  className: string;
}

/** A chart in words and numbers, newest first; each line leads to its posts. */
export function PointTable({ label, points, period, search, columns, className }: PointTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={cx("overflow-auto", className)} tabIndex={0} aria-label={label}>
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            {columns.map(({ key, head }) => (
              <th key={key} scope="col" className="py-1 pl-4 font-medium">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...points].reverse().map((point) => (
            <tr key={point.time} className="border-t border-border">
              <th scope="row" className="py-1 text-left font-normal whitespace-nowrap">
                <Link
                  to="/posts"
                  search={withSearch(search, spanOf(point))}
                  className="underline decoration-strong underline-offset-2 hover:decoration-current"
                >
                  {bucketText(point.time, point.end, period)}
                </Link>
              </th>
              {columns.map(({ key, cell }) => (
                <td key={key} className="py-1 pl-4">
                  {cell(point)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
