import { Link } from "@tanstack/react-router";
import type { Period } from "@/api/types";
import { bucketText } from "@/charts/axis";
import { count } from "@/lib/format";
import { EMOTIONS } from "@/lib/labels";
import { type Point, spanOf } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { EmotionMark } from "@/ui/marks";

interface EmotionTableProps {
  points: readonly Point[];
  period: Period;
  search: Search;
}

/** The charts of the emotions in words and numbers, newest first; each line leads to its posts. */
export function EmotionTable({ points, period, search }: EmotionTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="max-h-[36rem] overflow-auto" tabIndex={0} aria-label="Emotions over time as a table">
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            {EMOTIONS.map((label) => (
              <th key={label} scope="col" className="px-2 py-1 font-medium">
                <EmotionMark label={label} />
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
              {EMOTIONS.map((label) => (
                <td key={label} className="px-2 py-1">
                  {count(point.emotions[label])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
