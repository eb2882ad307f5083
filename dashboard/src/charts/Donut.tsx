import { Cell, Pie, PieChart, ResponsiveContainer } from "recharts";
import type { Sentiment } from "@/api/types";
import { SENTIMENT_COLORS, SENTIMENTS } from "@/lib/labels";

interface DonutProps {
  counts: Record<Sentiment, number>;
  /** The chosen sentiment. The others are dimmed. */
  only: Sentiment | undefined;
  onPick: (label: Sentiment) => void;
}

/** Shares as a ring. Keyboards and screen readers use the list beside it. */
export default function Donut({ counts, only, onPick }: DonutProps) {
  const slices = SENTIMENTS.map((label) => ({ label, value: counts[label] })).filter(
    ({ value }) => value > 0,
  );
  return (
    <ResponsiveContainer width="100%" height="100%">
      <PieChart accessibilityLayer={false} aria-hidden="true">
        <Pie
          data={slices}
          dataKey="value"
          nameKey="label"
          innerRadius="68%"
          outerRadius="100%"
          startAngle={90}
          endAngle={-270}
          stroke="var(--color-card)"
          strokeWidth={slices.length > 1 ? 2 : 0}
          isAnimationActive={false}
          rootTabIndex={-1}
          onClick={(_, index) => {
            const slice = slices[index];
            if (slice) onPick(slice.label);
          }}
        >
          {slices.map(({ label }) => (
            <Cell
              key={label}
              fill={SENTIMENT_COLORS[label]}
              fillOpacity={only && only !== label ? 0.25 : 1}
              className="cursor-pointer"
            />
          ))}
        </Pie>
      </PieChart>
    </ResponsiveContainer>
  );
}
