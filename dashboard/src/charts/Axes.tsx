import { CartesianGrid, XAxis, YAxis } from "recharts";
import { tickText, timeTicks } from "./axis";

const TEXT = { fontSize: 12, fill: "var(--color-quiet)" };

interface TimeAxisProps {
  first: number;
  last: number;
  /** The maximum number of ticks. */
  most?: number;
}

/** The time axis of all charts. Rows carry their time in `time`, in milliseconds. */
export function TimeAxis({ first, last, most = 6 }: TimeAxisProps) {
  return (
    <XAxis
      dataKey="time"
      type="number"
      scale="time"
      domain={[first, last]}
      ticks={timeTicks(first, last + 1, most)}
      tickFormatter={(time: number) => tickText(time, last - first)}
      tick={TEXT}
      tickLine={false}
      axisLine={{ stroke: "var(--color-border)" }}
      minTickGap={16}
    />
  );
}

interface ValueAxisProps {
  domain: [number, number | "auto"];
  ticks?: number[];
  text: (value: number) => string;
  width?: number;
}

/** The value axis of all charts. Without `ticks` the axis has five ticks. */
export function ValueAxis({ domain, ticks, text, width = 46 }: ValueAxisProps) {
  return (
    <YAxis
      domain={domain}
      {...(ticks ? { ticks } : { tickCount: 5 })}
      allowDecimals={ticks !== undefined}
      tickFormatter={text}
      tick={TEXT}
      tickLine={false}
      axisLine={false}
      width={width}
    />
  );
}

/** The horizontal grid of all charts. */
export function Grid() {
  return <CartesianGrid vertical={false} stroke="var(--color-border)" />;
}
