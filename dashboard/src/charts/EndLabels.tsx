import { usePlotArea, useYAxisScale } from "recharts";
import { spread } from "./labels";

export interface EndLabel {
  text: string;
  value: number;
  color: string;
}

/** Labels lines at their right end and moves apart labels that would overlap. */
export function EndLabels({ labels }: { labels: readonly EndLabel[] }) {
  const area = usePlotArea();
  const scale = useYAxisScale();
  if (!area || !scale) return null;
  const wanted = labels.map(({ value }) => Number(scale(value) ?? 0));
  const placed = spread(wanted, 15, area.y + 4, area.y + area.height);
  return (
    <g>
      {labels.map(({ text, color }, index) => (
        <text
          key={text}
          x={area.x + area.width + 8}
          y={placed[index]}
          dy="0.32em"
          fontSize={12}
          fill="var(--color-text)"
        >
          <tspan fill={color}>{text.charAt(0)}</tspan>
          {text.slice(1)}
        </text>
      ))}
    </g>
  );
}
