import type { BacktestTrack, RuleDraft } from "@/api/types";
import { bucketText } from "@/charts/axis";
import { plural } from "@/lib/format";
import { STATES } from "../states";
import { valueText } from "../words";

interface TrackTableProps {
  kind: RuleDraft["kind"];
  track: BacktestTrack;
}

/** What a rule measured, in numbers, newest first. */
export function TrackTable({ kind, track }: TrackTableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="h-full overflow-auto" tabIndex={0} aria-label="Measured over time as a table">
      <table className="tabular w-full text-right text-sm">
        <thead className="sticky top-0 bg-card text-xs text-quiet">
          <tr>
            <th scope="col" className="py-1 text-left font-medium">
              Time
            </th>
            <th scope="col" className="px-2 py-1 font-medium">
              Measured
            </th>
            <th scope="col" className="px-2 py-1 font-medium">
              In the window
            </th>
            <th scope="col" className="py-1 text-left font-medium">
              State
            </th>
          </tr>
        </thead>
        <tbody>
          {[...track.points].reverse().map(({ at, value, posts, state }) => (
            <tr key={at} className="border-t border-border">
              <th scope="row" className="py-1 text-left font-normal">
                {bucketText(Date.parse(at), Date.parse(at), "minute")}
              </th>
              <td className="px-2 py-1">{value == null ? "–" : valueText(kind, value)}</td>
              <td className="px-2 py-1 text-quiet">{plural(posts, "post")}</td>
              <td className="py-1 text-left text-quiet">{STATES[state]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
