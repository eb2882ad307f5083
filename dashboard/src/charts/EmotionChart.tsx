import { Area, ComposedChart, Line, ResponsiveContainer, Tooltip } from "recharts";
import type { Emotion, Period } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { compact, count, percent } from "@/lib/format";
import { EMOTION_COLORS } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import { EmotionMark } from "@/ui/marks";
import { Grid, TimeAxis, ValueAxis } from "./Axes";
import { bucketText } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

interface EmotionChartProps {
  emotion: Emotion;
  points: readonly Point[];
  period: Period;
  /** The maximum of the axis. */
  top: number;
  onPick: (point: Point) => void;
}

/** One emotion over time. */
export default function EmotionChart({ emotion, points, period, top, onPick }: EmotionChartProps) {
  const first = points[0]?.time ?? 0;
  const last = points.at(-1)?.time ?? 0;
  const lastDone = points.findLast((point) => !point.unfinished)?.time ?? first;
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart
        data={points as Point[]}
        syncId="page"
        margin={{ top: 4, right: 8, bottom: 0, left: 0 }}
        accessibilityLayer
        className="cursor-pointer"
        onClick={({ activeLabel }) => {
          const point = points.find(({ time }) => time === Number(activeLabel));
          if (point) onPick(point);
        }}
      >
        <Grid />
        <TimeAxis first={first} last={last} most={3} />
        <ValueAxis domain={[0, top]} ticks={[0, top / 2, top]} text={compact} width={44} />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--color-strong)" }}
          content={({ active, label }) => {
            const point = active ? points.find(({ time }) => time === label) : undefined;
            if (!point) return null;
            return (
              <ChartTooltip
                title={bucketText(point.time, point.end, period)}
                rows={[
                  {
                    key: emotion,
                    name: <EmotionMark label={emotion} />,
                    value: `${count(point.emotions[emotion])} · ${percent(point.total ? percentOf(point.emotions[emotion], point.total) : null)}`,
                  },
                ]}
              />
            );
          }}
        />
        <Area
          dataKey={(point: Point) => (point.unfinished || point.beforeData ? null : point.emotions[emotion])}
          type="linear"
          stroke={EMOTION_COLORS[emotion]}
          strokeWidth={1.75}
          fill={EMOTION_COLORS[emotion]}
          fillOpacity={0.18}
          isAnimationActive={false}
        />
        <Line
          dataKey={(point: Point) => (point.time >= lastDone ? point.emotions[emotion] : null)}
          type="linear"
          stroke={EMOTION_COLORS[emotion]}
          strokeWidth={1.75}
          strokeDasharray="3 3"
          dot={false}
          activeDot={false}
          isAnimationActive={false}
        />
      </ComposedChart>
    </ResponsiveContainer>
  );
}
