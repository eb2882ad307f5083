import type { ReactNode } from "react";
import { cx } from "@/ui/cx";

/** A column beside the time of a row. */
export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Classes of the header and the cells. */
  look?: string;
}

interface TimeTableProps<Row> {
  label: string;
  /** Oldest first. */
  rows: readonly Row[];
  at: (row: Row) => number | string;
  time: (row: Row) => ReactNode;
  columns: readonly Column<Row>[];
  className?: string;
}

/** A chart as a table, newest first. */
export function TimeTable<Row>(props: TimeTableProps<Row>) {
  const { label, rows, at, time, columns, className = "h-full" } = props;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
    <section className={cx("overflow-auto", className)} tabIndex={0} aria-label={label}>
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            {columns.map(({ key, head, look }) => (
              <th key={key} scope="col" className={cx("py-1 pl-4 font-medium", look)}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...rows].reverse().map((row) => (
            <tr key={at(row)} className="border-t border-border">
              <th scope="row" className="py-1 text-left font-normal whitespace-nowrap">
                {time(row)}
              </th>
              {columns.map(({ key, cell, look }) => (
                <td key={key} className={cx("py-1 pl-4", look)}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
