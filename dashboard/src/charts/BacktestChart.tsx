import {
  CartesianGrid,
  ComposedChart,
  Line,
  ReferenceArea,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import type { BacktestTrack, Firing, RuleDraft } from "@/api/types";
import { percent, plural, score } from "@/lib/format";
import { bucketText, niceTicks, tickText, timeTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

interface BacktestChartProps {
  kind: RuleDraft["kind"];
  track: BacktestTrack;
  firings: readonly Pick<Firing, "fired_at" | "resolved_at">[];
  threshold: number | undefined;
  /** A value as people read it, in full and short. */
  text: (value: number) => string;
  axisText: (value: number) => string;
}

const AXIS = { fontSize: 12, fill: "var(--color-quiet)" };

/** What a rule would have measured, its limit, and when it would have fired. */
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
        <CartesianGrid vertical={false} stroke="var(--color-border)" />
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
        <XAxis
          dataKey="time"
          type="number"
          scale="time"
          domain={[first, last]}
          ticks={timeTicks(first, last + 1, 6)}
          tickFormatter={(time: number) => tickText(time, last - first)}
          tick={AXIS}
          tickLine={false}
          axisLine={{ stroke: "var(--color-border)" }}
        />
        <YAxis
          domain={[ticks[0] ?? 0, ticks.at(-1) ?? 1]}
          ticks={ticks}
          tickFormatter={axisText}
          tick={AXIS}
          tickLine={false}
          axisLine={false}
          width={64}
        />
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
            rows.push({ key: "posts", name: "In the window", value: plural(point.posts, "post") });
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
              // Readable where the line passes behind it.
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

/** What a rule compares with: posts in a usual window, or the share of the window before. */
function usualRow(kind: RuleDraft["kind"], baseline: number) {
  return kind === "shift"
    ? { key: "baseline", name: "Share before", value: percent(baseline * 100) }
    : { key: "baseline", name: "Usual", value: `${score(baseline)} posts` };
}
