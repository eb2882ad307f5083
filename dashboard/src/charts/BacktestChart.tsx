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
import type { BacktestTrack, Firing } from "@/api/types";
import { bucketText, tickText, timeTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

interface BacktestChartProps {
  track: BacktestTrack;
  firings: readonly Firing[];
  threshold: number | undefined;
  /** A value as people read it. */
  text: (value: number) => string;
}

const AXIS = { fontSize: 12, fill: "var(--color-quiet)" };

/** What a rule would have measured, its limit, and when it would have fired. */
export default function BacktestChart({ track, firings, threshold, text }: BacktestChartProps) {
  const points = track.points.map(({ at, value, baseline }) => ({ time: Date.parse(at), value, baseline }));
  const first = points[0]?.time ?? 0;
  const last = points.at(-1)?.time ?? 0;
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart data={points} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid vertical={false} stroke="var(--color-border)" />
        {firings.map((firing) => (
          <ReferenceArea
            key={firing.fired_at}
            x1={Date.parse(firing.fired_at)}
            x2={firing.resolved_at ? Date.parse(firing.resolved_at) : last}
            fill="var(--color-negative)"
            fillOpacity={0.18}
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
          domain={[(least: number) => Math.min(0, least), (most: number) => Math.max(most, threshold ?? 0)]}
          tickFormatter={text}
          tickCount={5}
          tick={AXIS}
          tickLine={false}
          axisLine={false}
          width={56}
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
            if (point.baseline != null)
              rows.push({ key: "baseline", name: "Usual", value: text(point.baseline) });
            return <ChartTooltip title={bucketText(point.time, point.time, "minute")} rows={rows} />;
          }}
        />
        {threshold !== undefined && (
          <ReferenceLine y={threshold} stroke="var(--color-negative)" strokeDasharray="4 3" />
        )}
        <Line
          dataKey="baseline"
          type="linear"
          stroke="var(--color-strong)"
          strokeWidth={1}
          dot={false}
          isAnimationActive={false}
        />
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
