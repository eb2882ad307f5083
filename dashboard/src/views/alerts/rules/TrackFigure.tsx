import type { BacktestTrack, Firing, RuleDraft } from "@/api/types";
import { Choice } from "@/ui/Choice";
import { lazyPart } from "@/ui/lazy";
import { axisText, valueText } from "../words";
import { TrackTable } from "./TrackTable";

const BacktestChart = lazyPart(async () => (await import("@/charts/BacktestChart")).default);

export type Shown = "chart" | "table";
const WAYS = [
  { value: "chart", label: "Chart" },
  { value: "table", label: "Table" },
] as const;

/** Chooses between chart and table. */
export function ShownChoice({ shown, onChange }: { shown: Shown; onChange: (shown: Shown) => void }) {
  return <Choice label="Show as" value={shown} options={WAYS} onChange={onChange} />;
}

interface TrackFigureProps {
  rule: Pick<RuleDraft, "kind" | "direction">;
  track: BacktestTrack;
  firings: readonly Pick<Firing, "fired_at" | "resolved_at">[];
  threshold: number | undefined;
  shown: Shown;
}

/** The values of a rule with its limit and its alerts. */
export function TrackFigure({ rule, track, firings, threshold, shown }: TrackFigureProps) {
  const { kind, direction } = rule;
  // The values of a falling share are negative, but the threshold of a shift has no sign.
  const isNegative = kind === "shift" && direction === "below";
  if (shown === "table") return <TrackTable kind={kind} track={track} />;
  return (
    <BacktestChart
      kind={kind}
      track={track}
      firings={firings}
      threshold={isNegative && threshold !== undefined ? -threshold : threshold}
      text={(value) => valueText(kind, value)}
      axisText={(value) => axisText(kind, value)}
    />
  );
}
