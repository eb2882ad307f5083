import type { Emotion, Sentiment } from "@/api/types";
import { EMOTION_COLORS, GLYPHS, SENTIMENT_COLORS, sentence } from "@/lib/labels";

/** A sentiment: its glyph and its name. */
export function SentimentMark({ label }: { label: Sentiment }) {
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <SentimentGlyph label={label} />
      {sentence(label)}
    </span>
  );
}

/** Marks a post that was not scored, with the reason. */
export function UnscoredMark({ reason }: { reason: string | null | undefined }) {
  return (
    <span
      title={reason === "language" ? "The model does not know the language of this post." : undefined}
      className="inline-flex items-center rounded-full border border-border px-2 text-xs whitespace-nowrap text-quiet"
    >
      {reason ? `Not scored: ${reason}` : "Not scored"}
    </span>
  );
}

/** The glyph of a sentiment without its name, for places that show the name nearby. */
export function SentimentGlyph({ label }: { label: Sentiment }) {
  return (
    <span aria-hidden="true" className="text-xs leading-none" style={{ color: SENTIMENT_COLORS[label] }}>
      {GLYPHS[label]}
    </span>
  );
}

/** An emotion: a square in its colour, and its name. */
export function EmotionMark({ label }: { label: Emotion }) {
  return (
    <span className="inline-flex items-center gap-1.5 whitespace-nowrap">
      <span
        aria-hidden="true"
        className="size-2 shrink-0 rounded-[2px]"
        style={{ backgroundColor: EMOTION_COLORS[label] }}
      />
      {sentence(label)}
    </span>
  );
}
