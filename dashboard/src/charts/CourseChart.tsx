import { ComposedChart, Line, ResponsiveContainer, Tooltip } from "recharts";
import { compact } from "@/lib/format";
import { bucketLength } from "@/lib/range";
import { Grid, TimeAxis, ValueAxis } from "./Axes";
import { bucketText, niceTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";
import { type CourseProps, spotText } from "./course";

/** Two periods on one axis. The n-th buckets of both periods have the same position. */
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
        <Grid />
        <TimeAxis first={first} last={last} />
        <ValueAxis
          domain={[ticks[0] ?? 0, ticks.at(-1) ?? 1]}
          ticks={ticks}
          text={(value) => (unit === "percent" ? `${value}%` : compact(value))}
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
