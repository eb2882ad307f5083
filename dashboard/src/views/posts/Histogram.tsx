import { countFilter, useAggregateQuery } from "@/api/queries";
import { bucketText } from "@/charts/axis";
import { plural } from "@/lib/format";
import { SENTIMENT_COLORS, SENTIMENTS } from "@/lib/labels";
import { compare, type Point, spanOf } from "@/lib/metrics";
import type { Search } from "@/lib/search";
import { useView } from "@/shell/useView";
import { useWindow } from "../overview/useComparison";

/** The posts of the chosen period by bucket and sentiment. A click on a bar zooms in. */
export function Histogram({ search }: { search: Search }) {
  const { change } = useView();
  const window = useWindow(search);
  const current = { ...window, before: window.start, beforeEnd: window.start };
  const query = useAggregateQuery(current, { ...countFilter(search), sentiment: search.sentiment });
  const points = query.data && compare(query.data.answer, current, Date.now()).points;
  const most = Math.max(1, ...(points ?? []).map(({ total }) => total));
  const busiest = points?.find(({ total }) => total === most);
  return (
    <div
      role="img"
      aria-label={
        busiest
          ? `Posts over time. Most: ${plural(busiest.total, "post")}, ${bucketText(busiest.time, busiest.end, window.period)}`
          : "Posts over time"
      }
      className="flex h-14 items-stretch gap-px border-b border-border px-4 pt-2"
    >
      {points?.map((point) => (
        <Bar
          key={point.time}
          point={point}
          most={most}
          title={`${bucketText(point.time, point.end, window.period)}: ${plural(point.total, "post")}`}
          onZoom={() => change({ range: undefined, ...spanOf(point) })}
        />
      ))}
    </div>
  );
}

interface BarProps {
  point: Point;
  most: number;
  title: string;
  onZoom: () => void;
}

function Bar({ point, most, title, onZoom }: BarProps) {
  return (
    // biome-ignore lint/a11y: the range picker offers the same by keyboard; hundreds of tab stops would not help
    <div
      title={title}
      onClick={onZoom}
      className="flex min-w-0 flex-1 cursor-zoom-in flex-col-reverse rounded-t-[2px] hover:bg-raised"
    >
      {SENTIMENTS.map((label) => (
        <span
          key={label}
          style={{ height: `${(point[label] * 100) / most}%`, backgroundColor: SENTIMENT_COLORS[label] }}
        />
      ))}
    </div>
  );
}
