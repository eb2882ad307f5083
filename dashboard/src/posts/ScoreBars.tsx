import type { ReactNode } from "react";
import type { ClassScores } from "@/api/types";
import { score } from "@/lib/format";
import { EMOTION_COLORS, EMOTIONS, SENTIMENT_COLORS, SENTIMENTS } from "@/lib/labels";
import { EmotionMark, SentimentMark } from "@/ui/marks";

/** The score of every class. Sentiment scores sum to 1; emotion scores are independent. */
export function ScoreBars({ scores }: { scores: ClassScores }) {
  return (
    <div className="flex flex-col gap-4">
      <Bars title="Sentiment scores">
        {SENTIMENTS.map((label) => (
          <Bar key={label} value={scores.sentiment[label]} color={SENTIMENT_COLORS[label]}>
            <SentimentMark label={label} />
          </Bar>
        ))}
      </Bars>
      <Bars title="Emotion scores">
        {EMOTIONS.map((label) => (
          <Bar key={label} value={scores.emotion[label]} color={EMOTION_COLORS[label]}>
            <EmotionMark label={label} />
          </Bar>
        ))}
      </Bars>
    </div>
  );
}

function Bars({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1 text-xs font-medium text-quiet">{title}</h3>
      <dl className="text-sm">{children}</dl>
    </section>
  );
}

function Bar({ value, color, children }: { value: number; color: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[6rem_1fr_2.5rem] items-center gap-3 py-0.5">
      <dt>{children}</dt>
      <dd className="contents">
        <span aria-hidden="true" className="h-2 overflow-hidden rounded-full bg-raised">
          <span
            className="block h-full rounded-full transition-[width] duration-150"
            style={{ width: `${value * 100}%`, backgroundColor: color }}
          />
        </span>
        <span className="tabular text-right">{score(value)}</span>
      </dd>
    </div>
  );
}
