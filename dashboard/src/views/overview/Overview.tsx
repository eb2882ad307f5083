import { rangeLabel } from "@/lib/rangeLabel";
import { FirstRun } from "@/shell/FirstRun";
import { ScopeNote } from "@/shell/ScopeNote";
import { useView } from "@/shell/useView";
import { BehindCard } from "../insights/BehindCard";
import { findingsOf, plainText } from "../insights/findings";
import { useInsight } from "../insights/useInsight";
import { WhatHappened } from "../insights/WhatHappened";
import { DistributionCard } from "./DistributionCard";
import { EmotionCard } from "./EmotionCard";
import { FeedCard } from "./FeedCard";
import { MetricCards } from "./MetricCards";
import { metricList } from "./metricList";
import { SourceCard } from "./SourceCard";
import { TrendCard } from "./TrendCard";
import { UnscoredNotice } from "./UnscoredNotice";
import { useAlertMarks } from "./useAlertMarks";
import { useComparison } from "./useComparison";
import { useSignificance } from "./useSignificance";
import { useSourceShares } from "./useSourceShares";

/** Key figures, the trend, the composition and the posts of the chosen period. */
export function Overview() {
  const { search } = useView();
  const state = useComparison(search);
  const alerts = useAlertMarks(state.window, search);
  const sources = useSourceShares(state.window, search);
  const { start, end, before } = state.window;
  const insight = useInsight(search, { start, end, before });
  const significance = useSignificance(state.window, search);
  const metrics = state.data && metricList(state.data, state.chosen ?? state.data, { search, significance });
  const findings = findingsOf({
    insight: insight.data,
    search,
    points: state.data?.points ?? [],
    span: end - start,
  });
  // Explanations are shown for a change or for a range that was selected in the chart.
  const explained = findings.length > 0 || search.from !== undefined;
  return (
    <>
      <FirstRun />
      <UnscoredNotice />
      <ScopeNote search={search} />
      <div className="grid grid-cols-1 gap-4 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="@container flex min-w-0 flex-col gap-4">
          <MetricCards metrics={metrics} against={`the period before (${rangeLabel(search)})`} />
          <WhatHappened findings={findings} />
          <TrendCard state={state} alerts={alerts} findings={findings.map(plainText)} />
          {explained && <BehindCard query={insight} search={search} />}
          <div className="grid grid-cols-1 gap-4 @min-[560px]:grid-cols-2 @min-[900px]:grid-cols-3">
            <DistributionCard state={state} search={search} />
            <EmotionCard state={state} search={search} />
            <SourceCard sources={sources} search={search} />
          </div>
        </div>
        <FeedCard search={search} live={state.window.live} />
      </div>
    </>
  );
}
