const WIDTH = 100;
const HEIGHT = 24;

/** A small line without axes; it says the same as the number it stands under, so readers may skip it. */
export function Sparkline({ values, color }: { values: readonly (number | null)[]; color: string }) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(0, ...known);
  const scale = (HEIGHT - 2) / (high - low);
  if (high === low) return <svg aria-hidden="true" className="block h-6 w-full" />;
  const step = values.length > 1 ? WIDTH / (values.length - 1) : 0;
  return (
    <svg
      aria-hidden="true"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      className="block h-6 w-full overflow-visible"
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

/** The stretches without a gap. */
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

/** A line through points; a point alone is drawn as a dot. */
function lineOf(points: readonly (readonly [number, number])[]): string {
  const texts = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
  return (texts.length === 1 ? [...texts, ...texts] : texts).join(" ");
}
