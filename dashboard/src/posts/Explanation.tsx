import { useState } from "react";
import type { Emotion, Sentiment } from "@/api/types";
import { signed } from "@/lib/format";
import { EMOTION_COLORS, SENTIMENT_COLORS, sentence } from "@/lib/labels";
import { Choice } from "@/ui/Choice";
import type { ExplainedPiece, Influence } from "./explain";

interface ExplanationProps {
  label: Sentiment;
  emotion: Emotion;
  pieces: readonly ExplainedPiece[];
}

/** Words with a smaller influence are not marked. */
const LEAST = 0.02;

/** The text of a post. Words that support the result are shaded, words that oppose it have a dotted underline. */
export function Explanation({ label, emotion, pieces }: ExplanationProps) {
  const [shown, setShown] = useState<keyof Influence>("sentiment");
  const color = shown === "sentiment" ? SENTIMENT_COLORS[label] : EMOTION_COLORS[emotion];
  const options = [
    { value: "sentiment", label: sentence(label) },
    { value: "emotion", label: sentence(emotion) },
  ] as const;
  return (
    <figure>
      <div className="mb-1 flex flex-wrap items-center justify-between gap-2">
        <h3 className="text-xs font-medium text-quiet">Influential words</h3>
        <Choice label="Explain" value={shown} options={options} onChange={setShown} />
      </div>
      <p dir="auto" className="leading-7 break-words whitespace-pre-wrap [overflow-wrap:anywhere]">
        {pieces.map(({ text, influence }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the words of a text never move
          <Word key={index} text={text} influence={influence?.[shown] ?? 0} color={color} />
        ))}
      </p>
      <figcaption className="mt-1 text-xs text-quiet">
        Shaded words support “{shown === "sentiment" ? label : emotion}”, underlined words oppose it. Point at
        a word to see how many points it adds to the score.
      </figcaption>
    </figure>
  );
}

function Word({ text, influence, color }: { text: string; influence: number; color: string }) {
  if (Math.abs(influence) < LEAST) return text;
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
