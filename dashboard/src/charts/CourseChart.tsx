import { CartesianGrid, ComposedChart, Line, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { compact } from "@/lib/format";
import { bucketLength } from "@/lib/range";
import { type CourseProps, spotText } from "@/views/compare/CourseTable";
import { bucketText, niceTicks, tickText, timeTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

const AXIS = { fontSize: 12, fill: "var(--color-quiet)" };

/** Two courses over each other: the n-th bucket of one stands above the n-th of the other. */
export default function CourseChart({ later, earlier, period, unit }: CourseProps) {
  const points = later.map(({ time, value }, index) => ({
    time,
    is: value,
    was: earlier[index]?.value ?? null,
  }));
  const first = points[0]?.time ?? 0;
  const last = points.at(-1)?.time ?? 0;
  const levels = points.flatMap(({ is, was }) => [is ?? 0, was ?? 0]).concat(0);
  const ticks = niceTicks(Math.min(...levels), Math.max(...levels, unit === "posts" ? 4 : 10));
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart data={points} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer>
        <CartesianGrid vertical={false} stroke="var(--color-border)" />
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
          minTickGap={16}
        />
        <YAxis
          domain={[ticks[0] ?? 0, ticks.at(-1) ?? 1]}
          ticks={ticks}
          tickFormatter={(value: number) => (unit === "percent" ? `${value}%` : compact(value))}
          tick={AXIS}
          tickLine={false}
          axisLine={false}
          width={46}
        />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--color-strong)" }}
          content={({ active, label }) => {
            const index = active ? points.findIndex(({ time }) => time === label) : -1;
            const point = points[index];
            if (!point) return null;
            const before = earlier[index];
            const when = (time: number) => bucketText(time, time + bucketLength(period), period);
            const value = (spot: number | null) => spotText(unit, spot);
            return (
              <ChartTooltip
                title={when(point.time)}
                rows={[
                  { key: "is", name: "Later", value: value(point.is) },
                  {
                    key: "was",
                    name: before ? `Earlier, ${when(before.time)}` : "Earlier",
                    value: value(point.was),
                  },
                ]}
              />
            );
          }}
        />
        <Line
          dataKey="was"
          type="linear"
          stroke="var(--color-quiet)"
          strokeWidth={1.75}
          strokeDasharray="4 3"
          dot={false}
          isAnimationActive={false}
        />
        <Line
          dataKey="is"
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
