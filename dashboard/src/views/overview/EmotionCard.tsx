import { Link } from "@tanstack/react-router";
import type { Emotion } from "@/api/types";
import { Sparkline } from "@/charts/Sparkline";
import { percentOf } from "@/lib/counts";
import { compact, count, percent } from "@/lib/format";
import { EMOTION_COLORS, EMOTIONS } from "@/lib/labels";
import type { Comparison } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { EmotionMark } from "@/ui/marks";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import type { ComparisonState } from "./useComparison";

/** The emotions of the chosen period with their trend. */
export function EmotionCard({ state, search }: { state: ComparisonState; search: Search }) {
  return (
    <Card title="Emotions">
      <EmotionBody state={state} search={search} />
    </Card>
  );
}

function EmotionBody({ state, search }: { state: ComparisonState; search: Search }) {
  if (state.error) return <ErrorState error={state.error} retry={state.retry} />;
  if (!state.chosen) return <Skeleton className="h-44" />;
  if (state.chosen.now.posts === 0) return <EmptyState title="No posts in this period" />;
  return <EmotionList data={state.chosen} search={search} />;
}

function EmotionList({ data, search }: { data: Comparison; search: Search }) {
  const { now, points } = data;
  const ended = points.filter((point) => !point.unfinished);
  const most = Math.max(...Object.values(now.emotions), 1);
  const shown = search.emotion ? [search.emotion] : EMOTIONS;
  return (
    <ul className="flex h-full max-h-96 flex-col justify-between text-sm">
      {shown.map((emotion) => (
        <li key={emotion}>
          <Link
            to="/posts"
            search={withSearch(search, { emotion })}
            className="-mx-2 grid grid-cols-[5.5rem_1fr_3rem_3.25rem] items-center gap-2 rounded-md px-2 py-1 hover:bg-raised"
          >
            <EmotionMark label={emotion} />
            <Bar emotion={emotion} width={percentOf(now.emotions[emotion], most)} />
            <Sparkline
              values={ended.map((point) => (point.beforeData ? null : point.emotions[emotion]))}
              color={EMOTION_COLORS[emotion]}
            />
            <span
              className="tabular text-right"
              title={`${count(now.emotions[emotion])} posts, ${percent(percentOf(now.emotions[emotion], now.posts))}`}
            >
              {compact(now.emotions[emotion])}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Bar({ emotion, width }: { emotion: Emotion; width: number }) {
  return (
    <span aria-hidden="true" className="h-2 overflow-hidden rounded-full bg-raised">
      <span
        className="block h-full rounded-full transition-[width] duration-150"
        style={{ width: `${width}%`, backgroundColor: EMOTION_COLORS[emotion] }}
      />
    </span>
  );
}
