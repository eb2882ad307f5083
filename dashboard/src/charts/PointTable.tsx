import { Link } from "@tanstack/react-router";
import type { Period } from "@/api/types";
import { type Point, spanOf } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { bucketText } from "./axis";
import { type Column, TimeTable } from "./TimeTable";

interface PointTableProps {
  label: string;
  points: readonly Point[];
  period: Period;
  search: Search;
  columns: readonly Column<Point>[];
  className?: string;
}

/** A table whose rows link to the posts of their bucket. */
export function PointTable({ points, period, search, ...rest }: PointTableProps) {
  return (
    <TimeTable
      {...rest}
      rows={points}
      at={({ time }) => time}
      time={(point) => (
        <Link
          to="/posts"
          search={withSearch(search, spanOf(point))}
          className="underline decoration-strong underline-offset-2 hover:decoration-current"
        >
          {bucketText(point.time, point.end, period)}
        </Link>
      )}
    />
  );
}
