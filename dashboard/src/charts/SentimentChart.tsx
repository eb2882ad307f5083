import { useMemo } from "react";
import { Area, ComposedChart, Line, ReferenceArea, ResponsiveContainer, Tooltip } from "recharts";
import type { Period, Sentiment } from "@/api/types";
import { compact, count, percent } from "@/lib/format";
import { SENTIMENT_COLORS } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import { SentimentMark } from "@/ui/marks";
import { AlertLine, type AlertMark } from "./AlertLine";
import { Grid, TimeAxis, ValueAxis } from "./Axes";
import { bucketText } from "./axis";
import { ChartTooltip } from "./ChartTooltip";
import { EndLabels } from "./EndLabels";
import { endLabels, type Mode, rowsOf, shownSentiments } from "./series";
import { useDragZoom } from "./useDragZoom";

interface SentimentChartProps {
  points: readonly Point[];
  period: Period;
  mode: Mode;
  only: Sentiment | undefined;
  alerts: readonly AlertMark[];
  roomy: boolean;
  onPick: (point: Point) => void;
  onZoom: (from: number, to: number) => void;
}

/** Posts by sentiment over time: lines of counts, or shares stacked to 100 %. */
export default function SentimentChart(props: SentimentChartProps) {
  const { points, period, mode, only, alerts, roomy, onPick, onZoom } = props;
  const rows = useMemo(() => rowsOf(points), [points]);
  const shown = shownSentiments(only);
  const drag = useDragZoom(points, onPick, onZoom);
  const first = points[0]?.time ?? 0;
  const last = points.at(-1)?.time ?? 0;
  const open = points.findIndex((point) => point.unfinished);
  const openFrom = points[Math.max(0, open - 1)]?.time;
  const shares = mode === "shares";
  return (
    <ResponsiveContainer width="100%" height="100%">
      <ComposedChart
        data={rows}
        syncId="page"
        margin={{ top: 8, right: roomy && !shares ? 84 : 12, bottom: 0, left: 0 }}
        accessibilityLayer
        onMouseDown={drag.start}
        onMouseMove={drag.move}
        onMouseUp={drag.end}
        onMouseLeave={drag.cancel}
      >
        <Grid />
        <TimeAxis first={first} last={last} most={roomy ? 7 : 4} />
        <ValueAxis
          domain={shares ? [0, 100] : [0, "auto"]}
          text={(value) => (shares ? `${value}%` : compact(value))}
        />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--color-strong)" }}
          content={({ active, label }) => {
            const point = active ? points.find(({ time }) => time === label) : undefined;
            if (!point) return null;
            const fired = alerts.find(({ time }) => time === point.time)?.titles;
            return <PointTooltip point={point} period={period} shown={shown} fired={fired} />;
          }}
        />
        {shown.map((label) =>
          shares ? (
            <Area
              key={label}
              dataKey={`${label}Share`}
              stackId="share"
              type="linear"
              stroke={SENTIMENT_COLORS[label]}
              strokeWidth={1}
              fill={SENTIMENT_COLORS[label]}
              fillOpacity={0.75}
              isAnimationActive={false}
            />
          ) : (
            ["Done", "Open"].map((part) => (
              <Line
                key={label + part}
                dataKey={label + part}
                type="linear"
                stroke={SENTIMENT_COLORS[label]}
                strokeWidth={1.75}
                strokeDasharray={part === "Open" ? "3 3" : undefined}
                dot={false}
                activeDot={part === "Done" ? { r: 3 } : false}
                isAnimationActive={false}
              />
            ))
          ),
        )}
        {shares && open >= 0 && (
          <ReferenceArea x1={openFrom} x2={last} fill="var(--color-card)" fillOpacity={0.55} zIndex={500} />
        )}
        {alerts.map((mark) => (
          <AlertLine key={mark.time} mark={mark} atRightEnd={mark.time === last} />
        ))}
        {drag.from !== null && drag.to !== null && (
          <ReferenceArea x1={drag.from} x2={drag.to} fill="var(--color-focus)" fillOpacity={0.15} />
        )}
        {roomy && !shares && <EndLabels labels={endLabels(points, shown)} />}
      </ComposedChart>
    </ResponsiveContainer>
  );
}

function PointTooltip({
  point,
  period,
  shown,
  fired,
}: {
  point: Point;
  period: Period;
  shown: readonly Sentiment[];
  fired: readonly string[] | undefined;
}) {
  const rows = shown.map((label) => ({
    key: label,
    name: <SentimentMark label={label} />,
    value: `${count(point[label])} · ${percent(point[`${label}Share`])}`,
  }));
  return (
    <ChartTooltip
      title={bucketText(point.time, point.end, period)}
      rows={[...rows, { key: "total", name: "All posts", value: count(point.all) }]}
      marks={fired?.map((title) => `⚑ ${title}`)}
      hint={point.unfinished ? "Incomplete" : "Click for posts, drag to zoom"}
    />
  );
}
