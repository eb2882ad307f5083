import type { Sentiment } from "@/api/types";
import { percent } from "@/lib/format";
import { SENTIMENT_COLORS, SENTIMENTS } from "@/lib/labels";

/** The shares of the sentiments as one bar. */
export function MoodBar({ percentages }: { percentages: Record<Sentiment, number> }) {
  const words = SENTIMENTS.map((label) => `${label} ${percent(percentages[label])}`).join(", ");
  return (
    <span
      role="img"
      aria-label={words}
      title={words}
      className="flex h-2 w-full gap-px overflow-hidden rounded-full bg-raised"
    >
      {SENTIMENTS.map((label) => (
        <span
          key={label}
          style={{ width: `${percentages[label]}%`, backgroundColor: SENTIMENT_COLORS[label] }}
        />
      ))}
    </span>
  );
}
