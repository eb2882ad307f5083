import { Link } from "@tanstack/react-router";
import { rangeLabel } from "@/lib/rangeLabel";
import { FeedList } from "@/live/FeedList";
import { FirstRun } from "@/shell/FirstRun";
import { keepFilters } from "@/shell/keepFilters";
import { ScopeNote } from "@/shell/ScopeNote";
import { useView } from "@/shell/useView";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { DistributionCard } from "./DistributionCard";
import { EmotionCard } from "./EmotionCard";
import { MetricCards } from "./MetricCards";
import { metricList } from "./metricList";
import { SourceCard } from "./SourceCard";
import { TrendCard } from "./TrendCard";
import { useAlertMarks } from "./useAlertMarks";
import { useComparison } from "./useComparison";

/** Key figures, the trend, the composition and the posts of the chosen period. */
export function Overview() {
  const { search } = useView();
  const state = useComparison(search);
  const alerts = useAlertMarks(state.window, search.source);
  const metrics = state.data && metricList(state.data, state.chosen ?? state.data, search);
  return (
    <>
      <FirstRun />
      <ScopeNote search={search} />
      <div className="grid grid-cols-1 gap-4 xl:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="@container flex min-w-0 flex-col gap-4">
          <MetricCards metrics={metrics} against={`the period before (${rangeLabel(search)})`} />
          <TrendCard state={state} alerts={alerts} />
          <div className="grid grid-cols-1 gap-4 @min-[560px]:grid-cols-2 @min-[900px]:grid-cols-3">
            <DistributionCard state={state} search={search} />
            <EmotionCard state={state} search={search} />
            <SourceCard window={state.window} search={search} />
          </div>
        </div>
        <Card
          title="Live feed"
          action={
            <Link to="/live" search={keepFilters} className={buttonClass("plain", "-mr-2")}>
              Open
              <span className="sr-only">the live feed</span>
            </Link>
          }
          flush
          className="h-[36rem] overflow-hidden xl:sticky xl:top-[65px] xl:h-[calc(100dvh-81px)]"
        >
          <FeedList className="h-full" />
        </Card>
      </div>
    </>
  );
}
