import type { Sentiment } from "@/api/types";
import { signed } from "@/lib/format";
import { SENTIMENT_COLORS } from "@/lib/labels";
import type { WordInfluence } from "./explain";

interface ExplanationProps {
  label: Sentiment;
  words: readonly WordInfluence[];
}

/** Less than this is noise. */
const LEAST = 0.02;

/** The text with the words marked that spoke for the result; those that spoke against it are dotted. */
export function Explanation({ label, words }: ExplanationProps) {
  return (
    <figure>
      <p dir="auto" className="leading-7 break-words whitespace-pre-wrap [overflow-wrap:anywhere]">
        {words.map((word, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the words of one text never move
          <Word key={index} word={word} color={SENTIMENT_COLORS[label]} />
        ))}
      </p>
      <figcaption className="mt-1 text-xs text-quiet">
        Shaded words spoke for “{label}”, dotted ones against it: the score changes this way without them.
      </figcaption>
    </figure>
  );
}

function Word({ word: { text, influence }, color }: { word: WordInfluence; color: string }) {
  if (influence === null || Math.abs(influence) < LEAST) return text;
  const title = `${signed(influence * 100)} points`;
  if (influence < 0) {
    return (
      <span title={title} className="underline decoration-dotted decoration-2 underline-offset-4">
        {text}
      </span>
    );
  }
  const strength = Math.round(Math.min(1, influence * 2) * 35 + 10);
  return (
    <mark
      title={title}
      className="rounded-sm px-0.5 text-text"
      style={{ backgroundColor: `color-mix(in srgb, ${color} ${strength}%, transparent)` }}
    >
      {text}
    </mark>
  );
}
