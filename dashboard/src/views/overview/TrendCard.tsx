import { useNavigate } from "@tanstack/react-router";
import { ZoomOut as ZoomOutIcon } from "lucide-react";
import { useState } from "react";
import type { AlertMark } from "@/charts/AlertLine";
import type { Mode } from "@/charts/series";
import { zone } from "@/lib/format";
import { type Point, spanOf } from "@/lib/metrics";
import type { TimeWindow } from "@/lib/range";
import { withSearch } from "@/lib/search";
import { useMedia } from "@/lib/useMedia";
import { AlertOnThis } from "@/shell/AlertOnThis";
import { useView } from "@/shell/useView";
import { IconButton } from "@/ui/Button";
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
  const { search } = useView();
  const [shown, setShown] = useState<Shown>("counts");
  return (
    <Card
      title="Sentiment over time"
      note={zone()}
      action={
        <span className="flex flex-wrap items-center gap-1 sm:gap-2">
          <ZoomOut window={state.window} />
          <AlertOnThis search={search} />
          {state.data && (
            <ReportMenu
              data={state.data}
              findings={findings}
              hasChart={shown !== "table" && state.data.now.all > 0}
            />
          )}
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
  if (now.all === 0) return <NoPosts />;
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
