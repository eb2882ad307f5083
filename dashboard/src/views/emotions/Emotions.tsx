import { useState } from "react";
import type { Emotion } from "@/api/types";
import { niceTop } from "@/charts/axis";
import { EMOTIONS } from "@/lib/labels";
import type { Comparison } from "@/lib/metrics";
import type { Search } from "@/lib/search";
import { ScopeNote } from "@/shell/ScopeNote";
import { useView } from "@/shell/useView";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { type ComparisonState, useComparison } from "../overview/useComparison";
import { EmotionPanel } from "./EmotionPanel";
import { EmotionTable } from "./EmotionTable";
import { HeatCard } from "./HeatCard";
import { RankingCard, type Shown } from "./RankingCard";

/** The emotions view. */
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
  const [form, setForm] = useState<Shown>("own");
  if (state.error) return <ErrorState error={state.error} retry={state.retry} />;
  if (!state.chosen) return <Skeleton className="h-64" />;
  if (state.chosen.now.posts === 0) {
    return (
      <EmptyState title="No posts in this period">
        <p>Choose a longer range or remove a filter. New posts appear here automatically.</p>
      </EmptyState>
    );
  }
  const { chosen: data, window } = state;
  const shown = search.emotion ? [search.emotion] : EMOTIONS;
  return (
    <div className="grid grid-cols-1 gap-4 sm:grid-cols-2 lg:grid-cols-3 xl:grid-cols-4">
      <RankingCard data={data} search={search} shown={form} onShow={setForm} />
      {form === "table" ? (
        <Card title="Emotions over time" className="sm:col-span-1 lg:col-span-2 xl:col-span-3">
          <EmotionTable points={data.points} period={window.period} search={search} />
        </Card>
      ) : (
        shown.map((emotion) => (
          <EmotionPanel
            key={emotion}
            emotion={emotion}
            points={data.points}
            period={window.period}
            totals={data.now}
            top={axisTop(data, form === "own" ? [emotion] : shown)}
            search={search}
          />
        ))
      )}
    </div>
  );
}

/** The maximum of an axis that fits all of these emotions. */
function axisTop({ points }: Comparison, shown: readonly Emotion[]): number {
  return niceTop(Math.max(1, ...points.flatMap(({ emotions }) => shown.map((emotion) => emotions[emotion]))));
}
