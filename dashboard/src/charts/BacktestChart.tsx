import { ComposedChart, Line, ReferenceArea, ReferenceLine, ResponsiveContainer, Tooltip } from "recharts";
import type { BacktestTrack, Firing, RuleDraft } from "@/api/types";
import { percent, plural, score } from "@/lib/format";
import { Grid, TimeAxis, ValueAxis } from "./Axes";
import { bucketText, niceTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

interface BacktestChartProps {
  kind: RuleDraft["kind"];
  track: BacktestTrack;
  firings: readonly Pick<Firing, "fired_at" | "resolved_at">[];
  threshold: number | undefined;
  /** Formats a value in full and for the axis. */
  text: (value: number) => string;
  axisText: (value: number) => string;
}

/** The values that a rule measured, its limit and when it fired. */
export default function BacktestChart({
  kind,
  track,
  firings,
  threshold,
  text,
  axisText,
}: BacktestChartProps) {
  const points = track.points.map(({ at, value, baseline, posts }) => ({
    time: Date.parse(at),
    value,
    baseline,
    posts,
  }));
  const first = points[0]?.time ?? 0;
  const last = points.at(-1)?.time ?? 0;
  const levels = points.flatMap(({ value }) => value ?? []).concat(threshold ?? 0, 0);
  const ticks = niceTicks(Math.min(...levels), Math.max(...levels));
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart data={points} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer>
        <Grid />
        {firings.map((firing) => (
          <ReferenceArea
            key={firing.fired_at}
            x1={Math.min(Math.max(Date.parse(firing.fired_at), first), last)}
            x2={Math.min(firing.resolved_at ? Date.parse(firing.resolved_at) : last, last)}
            fill="var(--color-negative)"
            fillOpacity={0.18}
          />
        ))}
        {firings.map(({ fired_at }) => (
          <ReferenceLine
            key={fired_at}
            x={Math.min(Math.max(Date.parse(fired_at), first), last)}
            stroke="var(--color-negative)"
            strokeOpacity={0.5}
          />
        ))}
        <TimeAxis first={first} last={last} />
        <ValueAxis domain={[ticks[0] ?? 0, ticks.at(-1) ?? 1]} ticks={ticks} text={axisText} width={64} />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--color-strong)" }}
          content={({ active, label }) => {
            const point = active ? points.find(({ time }) => time === label) : undefined;
            if (!point) return null;
            const rows = [
              { key: "value", name: "Measured", value: point.value == null ? "no data" : text(point.value) },
            ];
            if (point.baseline != null) rows.push(usualRow(kind, point.baseline));
            rows.push({ key: "posts", name: "Posts in window", value: plural(point.posts, "post") });
            return <ChartTooltip title={bucketText(point.time, point.time, "minute")} rows={rows} />;
          }}
        />
        {threshold !== undefined && (
          <ReferenceLine
            y={threshold}
            stroke="var(--color-negative)"
            strokeDasharray="4 3"
            label={{
              value: `Limit ${text(threshold)}`,
              position: "insideBottomLeft",
              fill: "var(--color-text)",
              fontSize: 12,
              // An outline keeps the text readable on top of the line.
              stroke: "var(--color-card)",
              strokeWidth: 4,
              paintOrder: "stroke",
            }}
          />
        )}
        <Line
          dataKey="value"
          type="linear"
          stroke="var(--color-text)"
          strokeWidth={1.75}
          dot={false}
          isAnimationActive={false}
        />
      </ComposedChart>
    </ResponsiveContainer>
  );
}

/** The baseline of a rule: posts in a usual window, or the share in the period before. */
function usualRow(kind: RuleDraft["kind"], baseline: number) {
  return kind === "shift"
    ? { key: "baseline", name: "Share in the baseline period", value: percent(baseline * 100) }
    : { key: "baseline", name: "Usual", value: `${score(baseline)} posts` };
}
