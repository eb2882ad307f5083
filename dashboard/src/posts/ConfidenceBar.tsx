import type { Sentiment } from "@/api/types";
import { score } from "@/lib/format";
import { SENTIMENT_COLORS } from "@/lib/labels";

/** Results below this confidence are drawn pale. */
const UNSURE = 0.6;

interface ConfidenceBarProps {
  value: number | null;
  label: Sentiment | null;
}

/** The confidence of a result as a bar. Empty for a post that was not scored. */
export function ConfidenceBar({ value, label }: ConfidenceBarProps) {
  if (value === null || label === null) return null;
  return (
    <span
      role="img"
      aria-label={`Confidence ${score(value)}`}
      title={`Confidence ${score(value)}`}
      className="block h-1 w-16 shrink-0 overflow-hidden rounded-full bg-raised"
    >
      <span
        className="block h-full rounded-full"
        style={{
          width: `${value * 100}%`,
          backgroundColor: SENTIMENT_COLORS[label],
          opacity: value < UNSURE ? 0.45 : 1,
        }}
      />
    </span>
  );
}
