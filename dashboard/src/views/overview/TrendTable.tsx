import { Link } from "@tanstack/react-router";
import type { Period } from "@/api/types";
import { bucketText } from "@/charts/axis";
import { count, percent } from "@/lib/format";
import { SENTIMENTS } from "@/lib/labels";
import { type Point, spanOf } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { SentimentMark } from "@/ui/marks";

interface TrendTableProps {
  points: readonly Point[];
  period: Period;
  search: Search;
}

/** The chart in words and numbers, newest first; each line leads to its posts. */
export function TrendTable({ points, period, search }: TrendTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="h-full overflow-auto" tabIndex={0} aria-label="Sentiment over time as a table">
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            {SENTIMENTS.map((label) => (
              <th key={label} scope="col" className="px-2 py-1 font-medium">
                <SentimentMark label={label} />
              </th>
            ))}
            <th scope="col" className="py-1 font-medium">
              Posts
            </th>
          </tr>
        </thead>
        <tbody>
          {[...points].reverse().map((point) => (
            <tr key={point.time} className="border-t border-border">
              <th scope="row" className="py-1 text-left font-normal">
                <Link
                  to="/posts"
                  search={withSearch(search, spanOf(point))}
                  className="underline decoration-strong underline-offset-2 hover:decoration-current"
                >
                  {bucketText(point.time, point.end, period)}
                </Link>
              </th>
              {SENTIMENTS.map((label) => (
                <td key={label} className="px-2 py-1">
                  {count(point[label])} <span className="text-quiet">{percent(point[`${label}Share`])}</span>
                </td>
              ))}
              <td className="py-1">{count(point.total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
