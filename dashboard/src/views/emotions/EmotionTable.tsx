import type { Period } from "@/api/types";
import { PointTable } from "@/charts/PointTable";
import { count } from "@/lib/format";
import { EMOTIONS } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import type { Search } from "@/lib/search";
import { EmotionMark } from "@/ui/marks";

interface EmotionTableProps {
  points: readonly Point[];
  period: Period;
  search: Search;
}

const COLUMNS = EMOTIONS.map((label) => ({
  key: label,
  head: <EmotionMark label={label} />,
  cell: (point: Point) => count(point.emotions[label]),
}));

/** The emotion charts as a table. */
export function EmotionTable(props: EmotionTableProps) {
  return (
    <PointTable
      {...props}
      label="Emotions over time as a table"
      columns={COLUMNS}
      className="max-h-[36rem]"
    />
  );
}
