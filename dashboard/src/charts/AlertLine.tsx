import { Link } from "@tanstack/react-router";
import { ReferenceLine } from "recharts";

/** The bucket in which alerts fired. */
export interface AlertMark {
  time: number;
  /** Distinct titles of the alerts. */
  titles: readonly string[];
  ids: readonly number[];
}

/** The position of a bucket's line in pixels. */
interface Place {
  x: number;
  y: number;
  height: number;
}

/** A line where alerts fired, with a flag that links to them. */
export function AlertLine({ mark, atRightEnd }: { mark: AlertMark; atRightEnd: boolean }) {
  return (
    <ReferenceLine
      x={mark.time}
      stroke="var(--color-warn)"
      strokeOpacity={0.5}
      strokeDasharray="2 3"
      label={({ viewBox }: { viewBox: unknown }) => (
        <Flag mark={mark} place={viewBox as Place} atRightEnd={atRightEnd} />
      )}
    />
  );
}

function Flag({ mark, place, atRightEnd }: { mark: AlertMark; place: Place; atRightEnd: boolean }) {
  const [only, ...more] = mark.ids;
  const target =
    more.length === 0
      ? ({ to: "/alerts/$id", params: { id: String(only) } } as const)
      : ({ to: "/alerts" } as const);
  return (
    // Stops the click from reaching the chart, which would open posts.
    <Link
      {...target}
      aria-label={`Alert: ${mark.titles.join("; ")}`}
      onMouseDown={(event) => event.stopPropagation()}
      onMouseUp={(event) => event.stopPropagation()}
    >
      {/* At the right edge the flag is drawn on the left side of the line. */}
      <text
        x={place.x + (atRightEnd ? -4 : 4)}
        y={place.y + place.height - 6}
        textAnchor={atRightEnd ? "end" : "start"}
        fill="var(--color-warn)"
        fontSize={14}
      >
        ⚑
      </text>
    </Link>
  );
}
