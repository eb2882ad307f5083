import type { Period } from "@/api/types";
import { PointTable } from "@/charts/PointTable";
import { count, percent } from "@/lib/format";
import { SENTIMENTS } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import type { Search } from "@/lib/search";
import { SentimentMark } from "@/ui/marks";

interface TrendTableProps {
  points: readonly Point[];
  period: Period;
  search: Search;
}

const COLUMNS = [
  ...SENTIMENTS.map((label) => ({
    key: label,
    head: <SentimentMark label={label} />,
    cell: (point: Point) => (
      <>
        {count(point[label])} <span className="text-quiet">{percent(point[`${label}Share`])}</span>
      </>
    ),
  })),
  { key: "total", head: "Posts", cell: (point: Point) => count(point.all) },
];

/** The main chart as a table. */
export function TrendTable(props: TrendTableProps) {
  return <PointTable {...props} label="Sentiment over time as a table" columns={COLUMNS} />;
}
