import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "@/api/keys";
import { backtestRule } from "@/api/rules";
import type { Backtest, Firing, RuleDraft } from "@/api/types";
import { duration, plural } from "@/lib/format";
import { useDebounced } from "@/lib/useDebounced";
import { Card } from "@/ui/Card";
import { SelectInput } from "@/ui/SelectInput";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { spanText } from "../timeText";
import { scopeName, valueText } from "../words";
import { ruleSentence } from "./ruleWords";
import { type Shown, ShownChoice, TrackFigure } from "./TrackFigure";

/** The alerts that the rule in the form would have raised in the last 24 hours. */
export function BacktestCard({ rule }: { rule: RuleDraft }) {
  const settled = useDebounced(JSON.stringify({ ...rule, name: rule.name || "preview" }), 600);
  const query = useQuery({
    queryKey: keys.backtests.draft(settled),
    queryFn: ({ signal }) => backtestRule(JSON.parse(settled) as RuleDraft, signal),
    placeholderData: keepPreviousData,
    refetchInterval: false,
    refetchOnWindowFocus: false,
    retry: false,
  });
  const [shown, setShown] = useState<Shown>("chart");
  return (
    <Card
      title="Preview"
      note="this rule over the last 24 hours"
      action={<ShownChoice shown={shown} onChange={setShown} />}
    >
      <div className="flex flex-col gap-4">
        <p className="text-sm text-quiet">{ruleSentence(rule)}</p>
        {query.error ? (
          <ErrorState error={query.error} />
        ) : query.data ? (
          <Result result={query.data} rule={rule} shown={shown} />
        ) : (
          <Skeleton className="h-72" />
        )}
      </div>
    </Card>
  );
}

function Result({ result, rule, shown }: { result: Backtest; rule: RuleDraft; shown: Shown }) {
  const { series, firings } = result;
  const [chosen, setChosen] = useState("");
  const track = series.find(({ scope }) => scope === chosen) ?? series[0];
  const text = (value: number) => valueText(rule.kind, value);
  if (!track) {
    return (
      <EmptyState title="No matching posts in the last 24 hours">
        <p>The rule cannot be previewed without posts.</p>
      </EmptyState>
    );
  }
  const total = firings.reduce((sum, { duration_seconds }) => sum + duration_seconds, 0);
  return (
    <>
      <p role="status" className="text-lg font-semibold">
        {firings.length === 0
          ? "● No alerts in the last 24 hours"
          : `▼ ${plural(firings.length, "alert")} in the last 24 hours, ${duration(total)} in total`}
      </p>
      {series.length > 1 && (
        <div className="w-56">
          <SelectInput
            aria-label="Series"
            value={track.scope}
            options={series.map(({ scope }) => ({ value: scope, label: scopeName(scope) }))}
            onChange={setChosen}
          />
        </div>
      )}
      <div className="h-72">
        {track.points.every(({ value }) => value == null) ? (
          <div className="grid h-full place-content-center">
            <EmptyState title="Not enough posts">
              <p>{emptyText(rule.kind)}</p>
            </EmptyState>
          </div>
        ) : (
          <TrackFigure
            rule={rule}
            track={track}
            firings={firings.filter(({ scope }) => scope === track.scope)}
            threshold={rule.threshold ?? undefined}
            shown={shown}
          />
        )}
      </div>
      {firings.length > 0 && (
        <ol aria-label="Alerts in the preview" className="-mx-4 -mb-4 border-t border-border text-sm">
          {firings.map((firing) => (
            <FiringRow key={`${firing.scope}${firing.fired_at}`} firing={firing} text={text} />
          ))}
        </ol>
      )}
    </>
  );
}

/** Why no window has a value, and what to do. */
function emptyText(kind: RuleDraft["kind"]): string {
  if (kind === "spike")
    return "The history is too short to know the usual number. Choose a shorter window, or wait until there are more posts.";
  const empty =
    kind === "shift" ? "No window has posts both in it and in the earlier period." : "No window has posts.";
  return `${empty} Choose a longer window or a wider scope.`;
}

function FiringRow({ firing, text }: { firing: Firing; text: (value: number) => string }) {
  const { scope, fired_at, resolved_at, duration_seconds, peak } = firing;
  return (
    <li className="tabular flex flex-wrap gap-x-4 gap-y-0.5 border-b border-border px-4 py-2 last:border-b-0">
      <span className="min-w-60 flex-1">
        {spanText(fired_at, resolved_at ?? new Date().toISOString())}
        {resolved_at == null && ", still active"}
      </span>
      <span className="text-quiet">{scopeName(scope)}</span>
      <span className="w-20 text-right">{duration(duration_seconds)}</span>
      <span className="w-44 text-right whitespace-nowrap text-quiet">peak {text(peak)}</span>
    </li>
  );
}
