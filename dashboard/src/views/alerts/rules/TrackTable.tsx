import type { BacktestTrack, RuleDraft } from "@/api/types";
import { bucketText } from "@/charts/axis";
import { TimeTable } from "@/charts/TimeTable";
import { plural } from "@/lib/format";
import { STATES } from "../states";
import { valueText } from "../words";

interface TrackTableProps {
  kind: RuleDraft["kind"];
  track: BacktestTrack;
}

/** The values of a rule as a table. */
export function TrackTable({ kind, track }: TrackTableProps) {
  return (
    <TimeTable
      label="Value over time as a table"
      rows={track.points}
      at={({ at }) => at}
      time={({ at }) => bucketText(Date.parse(at), Date.parse(at), "minute")}
      columns={[
        {
          key: "value",
          head: "Measured",
          cell: ({ value }) => (value == null ? "–" : valueText(kind, value)),
        },
        {
          key: "posts",
          head: "Posts in window",
          cell: ({ posts }) => plural(posts, "post"),
          look: "text-quiet",
        },
        { key: "state", head: "State", cell: ({ state }) => STATES[state], look: "text-left text-quiet" },
      ]}
    />
  );
}
