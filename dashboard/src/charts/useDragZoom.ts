import { useState } from "react";
import type { MouseHandlerDataParam } from "recharts";
import type { Point } from "@/lib/metrics";

/** A drag over the chart selects a period, a click selects a point. */
export function useDragZoom(
  points: readonly Point[],
  onPick: (point: Point) => void,
  onZoom: (from: number, to: number) => void,
) {
  const [from, setFrom] = useState<number | null>(null);
  const [to, setTo] = useState<number | null>(null);
  const cancel = () => {
    setFrom(null);
    setTo(null);
  };
  const end = (state: MouseHandlerDataParam) => {
    // A tap may start before the chart reports a position.
    const start = from ?? timeOf(state);
    const chosen = points.filter(({ time }) => start !== null && isBetween(time, start, to ?? start));
    const [first, last] = [chosen[0], chosen.at(-1)];
    cancel();
    if (!first || !last) return;
    if (first === last) onPick(first);
    else onZoom(first.time, last.end);
  };
  return {
    from,
    to,
    start: (state: MouseHandlerDataParam) => setFrom(timeOf(state)),
    move: (state: MouseHandlerDataParam) => {
      if (from !== null) setTo(timeOf(state) ?? to);
    },
    end,
    cancel,
  };
}

function timeOf({ activeLabel }: MouseHandlerDataParam): number | null {
  return activeLabel === undefined ? null : Number(activeLabel);
}

function isBetween(time: number, a: number, b: number): boolean {
  return time >= Math.min(a, b) && time <= Math.max(a, b);
}
