import {
  Area,
  CartesianGrid,
  ComposedChart,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import type { Emotion, Period } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { compact, count, percent } from "@/lib/format";
import { EMOTION_COLORS } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import { EmotionMark } from "@/ui/marks";
import { bucketText, tickText, timeTicks } from "./axis";
import { ChartTooltip } from "./ChartTooltip";

interface EmotionChartProps {
  emotion: Emotion;
  points: readonly Point[];
  period: Period;
  /** The top of the axis, the same for all of a page. */
  top: number;
  onPick: (point: Point) => void;
}

const AXIS = { fontSize: 12, fill: "var(--color-quiet)" };

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
        <CartesianGrid vertical={false} stroke="var(--color-border)" />
        <XAxis
          dataKey="time"
          type="number"
          scale="time"
          domain={[first, last]}
          ticks={timeTicks(first, last + 1, 3)}
          tickFormatter={(time: number) => tickText(time, last - first)}
          tick={AXIS}
          tickLine={false}
          axisLine={{ stroke: "var(--color-border)" }}
        />
        <YAxis
          domain={[0, top]}
          ticks={[0, top / 2, top]}
          allowDecimals={false}
          tickFormatter={compact}
          tick={AXIS}
          tickLine={false}
          axisLine={false}
          width={44}
        />
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
          dataKey={(point: Point) => (point.unfinished ? null : point.emotions[emotion])}
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
