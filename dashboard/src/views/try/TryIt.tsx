import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { analyze } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { Analysis } from "@/api/types";
import { plural, score } from "@/lib/format";
import { useDebounced } from "@/lib/useDebounced";
import { Explanation } from "@/posts/Explanation";
import { ScoreBars } from "@/posts/ScoreBars";
import { useExplanation } from "@/posts/useExplanation";
import { Card } from "@/ui/Card";
import { inputClass } from "@/ui/Input";
import { EmotionMark, SentimentMark } from "@/ui/marks";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";

const EXAMPLES = [
  "The update is wonderful, everything feels faster now!",
  "Third outage this week and support does not answer.",
  "The meeting was moved to Thursday at ten.",
  "Not bad at all, I expected worse.",
];

/** The maximum length of a text that the server accepts. */
const MOST_CHARACTERS = 100_000;

/** Analyses a text while it is typed. Nothing is stored. */
export function TryIt() {
  const [text, setText] = useState(EXAMPLES[0] ?? "");
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      <Card title="Text">
        <textarea
          aria-label="Text to analyse"
          dir="auto"
          value={text}
          maxLength={MOST_CHARACTERS}
          onChange={(event) => setText(event.target.value)}
          className={`${inputClass} h-48 resize-y py-2 text-lg`}
        />
        <p className="mt-3 mb-1 text-xs text-quiet">Nothing is stored. Examples:</p>
        <div className="flex flex-wrap gap-2">
          {EXAMPLES.map((example) => (
            <button
              key={example}
              type="button"
              onClick={() => setText(example)}
              className="rounded-md border border-border px-2.5 py-1 text-left text-sm transition-colors duration-150 hover:border-strong hover:bg-raised"
            >
              {example}
            </button>
          ))}
        </div>
      </Card>
      <Card title="Result">
        <Result text={text} />
      </Card>
    </div>
  );
}

function Result({ text }: { text: string }) {
  const typed = useDebounced(text.trim(), 150);
  const settled = useDebounced(typed, 500);
  const query = useQuery({
    queryKey: keys.analysis.result(typed),
    queryFn: ({ signal }) => analyze({ text: typed }, signal),
    enabled: typed !== "",
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  });
  if (typed === "") return <EmptyState title="Enter a text" />;
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton className="h-64" />;
  return (
    <div className="flex flex-col gap-5" aria-live="polite" aria-busy={query.isFetching}>
      <Verdict analysis={query.data} />
      <Words text={settled} />
      <ScoreBars scores={query.data.scores} />
    </div>
  );
}

function Verdict({ analysis }: { analysis: Analysis }) {
  return (
    <div>
      <p className="flex flex-wrap items-baseline gap-x-4 gap-y-1 text-xl font-semibold">
        <SentimentMark label={analysis.label} />
        <span className="text-lg font-normal">
          <EmotionMark label={analysis.emotion} />
        </span>
      </p>
      <p className="tabular text-sm text-quiet">
        confidence {score(analysis.confidence)} · {plural(analysis.tokens, "token")} · {analysis.model}
        {analysis.truncated && " · only the start was read, because the text exceeds the model's limit"}
      </p>
    </div>
  );
}

function Words({ text }: { text: string }) {
  const { data } = useExplanation(text, true);
  return data ? <Explanation {...data} /> : <Skeleton className="h-12" />;
}
