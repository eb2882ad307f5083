import { score } from "@/lib/format";

/** Below this the model was not sure. */
const UNSURE = 0.6;

/** How sure the model is; pale when it is not. */
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
