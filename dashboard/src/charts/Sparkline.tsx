import { cx } from "@/ui/cx";

const WIDTH = 100;
const HEIGHT = 24;
/** A line that covers less than this share of the width is not drawn. It would look like a vertical stroke. */
const LEAST_SHARE = 0.1;

/** A small line without axes. It is hidden from screen readers, because a number beside it has the same information. */
export function Sparkline({
  values,
  color,
  span,
  className = "h-6",
}: {
  values: readonly (number | null)[];
  color: string;
  /**
   * The minimum range of the value axis, in the unit of the values. If it is set, the axis fits the values and may
   * start above zero. If it is unset, the axis includes zero.
   */
  span?: number | undefined;
  /** Classes that set the height. */
  className?: string;
}) {
  const known = values.filter((value) => value !== null);
  const [low, high] = bounds(known, span);
  const scale = (HEIGHT - 2) / (high - low);
  if (high === low || coveredShare(values) < LEAST_SHARE)
    return <svg aria-hidden="true" className={cx("block w-full", className)} />;
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  return (
    <svg
      aria-hidden="true"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      className={cx("block w-full overflow-visible", className)}
    >
      {runs(values).map((run) => (
        <polyline
          key={run.start}
          points={lineOf(
            run.values.map((value, index) => [
              (run.start + index) * step,
              HEIGHT - 1 - (value - low) * scale,
            ]),
          )}
          fill="none"
          stroke={color}
          strokeWidth={1.5}
          strokeLinejoin="round"
          strokeLinecap="round"
          vectorEffect="non-scaling-stroke"
        />
      ))}
    </svg>
  );
}

/** The share of the width between the first and the last known value. */
function coveredShare(values: readonly (number | null)[]): number {
  const first = values.findIndex((value) => value !== null);
  const last = values.findLastIndex((value) => value !== null);
  return values.length > 1 ? (last - first) / (values.length - 1) : 0;
}

function bounds(known: readonly number[], span: number | undefined): [number, number] {
  if (span === undefined || known.length === 0) return [Math.min(0, ...known), Math.max(0, ...known)];
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const margin = Math.max(0, span - (most - least)) / 2;
  return [least - margin, most + margin];
}

/** The runs of values between gaps. */
function runs(values: readonly (number | null)[]): { start: number; values: number[] }[] {
  const found: { start: number; values: number[] }[] = [];
  let current: { start: number; values: number[] } | null = null;
  values.forEach((value, index) => {
    if (value === null) {
      current = null;
    } else if (current) {
      current.values.push(value);
    } else {
      current = { start: index, values: [value] };
      found.push(current);
    }
  });
  return found;
}

/** The points of a polyline. A single point is drawn as a dot. */
function lineOf(points: readonly (readonly [number, number])[]): string {
  const texts = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
  return (texts.length === 1 ? [...texts, ...texts] : texts).join(" ");
}
