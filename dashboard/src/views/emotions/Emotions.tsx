import { useState } from "react";
import type { Emotion } from "@/api/types";
import { niceTop } from "@/charts/axis";
import { EMOTIONS } from "@/lib/labels";
import type { Comparison } from "@/lib/metrics";
import type { Search } from "@/lib/search";
import { ScopeNote } from "@/shell/ScopeNote";
import { useView } from "@/shell/useView";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { type ComparisonState, useComparison } from "../overview/useComparison";
import { EmotionPanel } from "./EmotionPanel";
import { HeatCard } from "./HeatCard";
import { RankingCard, type Scale } from "./RankingCard";

/** Which emotions, when, and what they sound like. */
export function Emotions() {
  const { search } = useView();
  const state = useComparison(search);
  return (
    <>
      <ScopeNote search={search} />
      <div className="flex flex-col gap-4">
        <HeatCard search={search} />
        <Panels state={state} search={search} />
      </div>
    </>
  );
}

function Panels({ state, search }: { state: ComparisonState; search: Search }) {
  const [scale, setScale] = useState<Scale>("own");
  if (state.error) return <ErrorState error={state.error} retry={state.retry} />;
  if (!state.data) return <Skeleton className="h-64" />;
  if (state.data.now.posts === 0) {
    return (
      <EmptyState title="No posts in this time">
        <p>Choose a longer range or remove a filter. New posts appear here by themselves.</p>
      </EmptyState>
    );
  }
  const { data, window } = state;
  const shown = search.emotion ? [search.emotion] : EMOTIONS;
  return (
    <div className="grid grid-cols-1 gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
      <RankingCard data={data} search={search} scale={scale} onScale={setScale} />
      {shown.map((emotion) => (
        <EmotionPanel
          key={emotion}
          emotion={emotion}
          points={data.points}
          period={window.period}
          totals={data.now}
          top={axisTop(data, scale === "own" ? [emotion] : shown)}
          search={search}
        />
      ))}
    </div>
  );
}

/** The top of an axis on which all of these fit. */
function axisTop({ points }: Comparison, shown: readonly Emotion[]): number {
  return niceTop(Math.max(1, ...points.flatMap(({ emotions }) => shown.map((emotion) => emotions[emotion]))));
}
