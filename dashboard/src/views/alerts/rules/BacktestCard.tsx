import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { backtestRule } from "@/api/rules";
import type { Backtest, Firing, RuleDraft } from "@/api/types";
import { duration, percent, plural, score } from "@/lib/format";
import { useDebounced } from "@/lib/useDebounced";
import { Card } from "@/ui/Card";
import { SelectInput } from "@/ui/SelectInput";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { spanText } from "../timeText";
import { scopeName } from "../words";
import { asksFor } from "./ruleDraft";
import { ruleSentence } from "./ruleWords";

const BacktestChart = lazy(() => import("@/charts/BacktestChart"));

/** What the rule would have done over the last 24 hours, told while it is being written. */
export function BacktestCard({ rule }: { rule: RuleDraft }) {
  const settled = useDebounced(JSON.stringify({ ...rule, name: rule.name || "preview" }), 600);
  const query = useQuery({
    queryKey: ["backtest", settled],
    queryFn: ({ signal }) => backtestRule(JSON.parse(settled) as RuleDraft, signal),
    placeholderData: keepPreviousData,
    refetchInterval: false,
    refetchOnWindowFocus: false,
    retry: false,
  });
  return (
    <Card title="The last 24 hours" note="with this rule">
      <div className="flex flex-col gap-4">
        <p className="text-sm text-quiet">{ruleSentence(rule)}</p>
        {query.error ? (
          <ErrorState error={query.error} />
        ) : query.data ? (
          <Result result={query.data} rule={rule} />
        ) : (
          <Skeleton className="h-72" />
        )}
      </div>
    </Card>
  );
}

function Result({ result, rule }: { result: Backtest; rule: RuleDraft }) {
  const { series, firings } = result;
  const [chosen, setChosen] = useState("");
  const track = series.find(({ scope }) => scope === chosen) ?? series[0];
  const { percent: inPercent } = asksFor(rule.kind);
  const text = (value: number) => (inPercent ? percent(value * 100) : score(value));
  if (!track) {
    return (
      <EmptyState title="No posts in the last 24 hours">
        <p>There is nothing that the rule could be tried on.</p>
      </EmptyState>
    );
  }
  const total = firings.reduce((sum, { duration_seconds }) => sum + duration_seconds, 0);
  return (
    <>
      <p role="status" className="text-lg font-semibold">
        {firings.length === 0
          ? "● It would not have fired"
          : `▼ It would have fired ${plural(firings.length, "time")}, ${duration(total)} in all`}
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
        <Suspense fallback={<Skeleton className="h-full" />}>
          <BacktestChart
            track={track}
            firings={firings.filter(({ scope }) => scope === track.scope)}
            threshold={rule.threshold ?? undefined}
            text={text}
          />
        </Suspense>
      </div>
      {firings.length > 0 && (
        <ol aria-label="When it would have fired" className="-mx-4 -mb-4 border-t border-border text-sm">
          {firings.map((firing) => (
            <FiringRow key={`${firing.scope}${firing.fired_at}`} firing={firing} text={text} />
          ))}
        </ol>
      )}
    </>
  );
}

function FiringRow({ firing, text }: { firing: Firing; text: (value: number) => string }) {
  const { scope, fired_at, resolved_at, duration_seconds, peak } = firing;
  return (
    <li className="tabular flex flex-wrap gap-x-4 gap-y-0.5 border-b border-border px-4 py-2 last:border-b-0">
      <span className="min-w-60 flex-1">
        {spanText(fired_at, resolved_at ?? new Date().toISOString())}
        {resolved_at == null && " and on"}
      </span>
      <span className="text-quiet">{scopeName(scope)}</span>
      <span className="w-20 text-right">{duration(duration_seconds)}</span>
      <span className="w-24 text-right text-quiet">at most {text(peak)}</span>
    </li>
  );
}
