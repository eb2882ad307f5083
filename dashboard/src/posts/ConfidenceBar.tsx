import { score } from "@/lib/format";

/** Results below this confidence are drawn pale. */
const UNSURE = 0.6;

/** The confidence of a result as a bar. */
export function ConfidenceBar({ value, color }: { value: number; color: string }) {
  return (
    <span
      role="img"
      aria-label={`Confidence ${score(value)}`}
      title={`Confidence ${score(value)}`}
      className="block h-1 w-16 shrink-0 overflow-hidden rounded-full bg-raised"
    >
      <span
        className="block h-full rounded-full"
        style={{ width: `${value * 100}%`, backgroundColor: color, opacity: value < UNSURE ? 0.45 : 1 }}
      />
    </span>
  );
}
