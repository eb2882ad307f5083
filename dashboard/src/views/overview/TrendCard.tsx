import { Link, useNavigate } from "@tanstack/react-router";
import { BellPlus, ZoomOut as ZoomOutIcon } from "lucide-react";
import { useState } from "react";
import type { AlertMark } from "@/charts/AlertLine";
import type { Mode } from "@/charts/series";
import { zone } from "@/lib/format";
import { type Point, spanOf } from "@/lib/metrics";
import type { TimeWindow } from "@/lib/range";
import { withSearch } from "@/lib/search";
import { useMedia } from "@/lib/useMedia";
import { keepFilters } from "@/shell/keepFilters";
import { useView } from "@/shell/useView";
import { buttonClass, IconButton } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Choice } from "@/ui/Choice";
import { lazyPart } from "@/ui/lazy";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { ReportMenu } from "./ReportMenu";
import { TrendTable } from "./TrendTable";
import type { ComparisonState } from "./useComparison";

const SentimentChart = lazyPart(async () => (await import("@/charts/SentimentChart")).default);

type Shown = Mode | "table";
const MODES = [
  { value: "counts", label: "Posts" },
  { value: "shares", label: "Shares" },
  { value: "table", label: "Table" },
] as const;

interface TrendCardProps {
  state: ComparisonState;
  alerts: readonly AlertMark[];
  /** The findings about the period, for the report. */
  findings: readonly string[];
}

/** The main chart: sentiment over time. */
export function TrendCard({ state, alerts, findings }: TrendCardProps) {
  const [shown, setShown] = useState<Shown>("counts");
  return (
    <Card
      title="Sentiment over time"
      note={zone()}
      action={
        <span className="flex flex-wrap items-center gap-1 sm:gap-2">
          <ZoomOut window={state.window} />
          <AlertOnThis />
          {state.data && <ReportMenu data={state.data} findings={findings} />}
          <Choice label="Show as" value={shown} options={MODES} onChange={setShown} />
        </span>
      }
    >
      <div data-report-chart className="h-64 md:h-[clamp(17rem,36vh,34rem)]">
        <TrendBody state={state} alerts={alerts} shown={shown} />
      </div>
    </Card>
  );
}

/** Zooms out of a custom range. Each step triples the range. */
function ZoomOut({ window }: { window: TimeWindow }) {
  const { search, change } = useView();
  if (!search.from) return null;
  const span = window.end - window.start;
  const end = Math.min(window.end + span, Date.now());
  return (
    <IconButton
      label="Zoom out"
      onClick={() => change({ range: undefined, ...spanOf({ time: end - 3 * span, end }) })}
    >
      <ZoomOutIcon size={16} />
    </IconButton>
  );
}

/** Starts a rule for what the chart shows. */
function AlertOnThis() {
  const { search } = useView();
  return (
    <Link
      to="/alerts/rules/$id"
      params={{ id: "new" }}
      search={keepFilters(search)}
      aria-label="Alert on this"
      title="Alert on this"
      className={buttonClass("plain", "w-8 px-0")}
    >
      <BellPlus size={16} aria-hidden="true" />
    </Link>
  );
}

interface BodyProps {
  state: ComparisonState;
  alerts: readonly AlertMark[];
  shown: Shown;
}

function TrendBody({ state, alerts, shown }: BodyProps) {
  const { search, change } = useView();
  const navigate = useNavigate();
  const roomy = useMedia("(min-width: 560px)");
  if (state.error) return <ErrorState error={state.error} retry={state.retry} />;
  if (!state.data) return <Skeleton className="h-full" />;
  const { points, now } = state.data;
  if (now.posts === 0) return <NoPosts />;
  const openPosts = (point: Point) =>
    void navigate({ to: "/posts", search: withSearch(search, spanOf(point)) });
  if (shown === "table") return <TrendTable points={points} period={state.window.period} search={search} />;
  return (
    <SentimentChart
      points={points}
      period={state.window.period}
      mode={shown}
      only={search.sentiment}
      alerts={alerts}
      roomy={roomy}
      onPick={openPosts}
      onZoom={(time, end) => change({ range: undefined, ...spanOf({ time, end }) })}
    />
  );
}

function NoPosts() {
  return (
    <div className="grid h-full place-content-center">
      <EmptyState title="No posts in this period">
        <p>Choose a longer range or remove a filter. New posts appear here automatically.</p>
      </EmptyState>
    </div>
  );
}
