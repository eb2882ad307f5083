import type { Alert } from "@/api/types";
import { tickText, timeTicks } from "@/charts/axis";
import { exact } from "@/lib/format";
import type { TimeWindow } from "@/lib/range";
import { useMedia } from "@/lib/useMedia";
import { cx } from "@/ui/cx";
import { lanesOf } from "./lanes";
import { ScopeText } from "./ScopeText";
import { alertTitle, inScope } from "./words";

/** A timeline with one lane for each rule and scope. */
export function Timeline({
  alerts,
  window,
  now,
}: {
  alerts: readonly Alert[];
  window: TimeWindow;
  now: number;
}) {
  const end = Math.min(window.end, now);
  const span = end - window.start;
  const place = (time: number) => `${Math.min(100, Math.max(0, ((time - window.start) * 100) / span))}%`;
  const roomy = useMedia("(min-width: 768px)");
  const ticks = timeTicks(window.start, end, roomy ? 6 : 3);
  return (
    <div className="grid gap-x-3 gap-y-1 text-xs md:grid-cols-[minmax(6rem,18rem)_1fr]">
      {lanesOf(alerts, now).map((lane) => (
        <div key={lane.key} className="grid items-center gap-y-0.5 md:col-span-2 md:grid-cols-subgrid">
          <span className="truncate" title={`${alertTitle(lane.alerts[0])} ${inScope(lane.alerts[0].scope)}`}>
            {alertTitle(lane.alerts[0])}{" "}
            <span className="text-quiet">
              <ScopeText scope={lane.alerts[0].scope} />
            </span>
          </span>
          <span className="relative h-5 rounded-sm bg-raised">
            {lane.alerts.map((alert) => (
              <span
                key={alert.id}
                title={`${exact(alert.triggered_at)} until ${alert.resolved_at ? exact(alert.resolved_at) : "now"}`}
                className={cx(
                  "absolute inset-y-0.5 min-w-1 rounded-[3px]",
                  alert.state === "firing" ? "bg-negative" : "bg-neutral",
                )}
                style={{
                  left: `min(${place(Date.parse(alert.triggered_at))}, 100% - 4px)`,
                  right: `calc(100% - ${place(alert.resolved_at ? Date.parse(alert.resolved_at) : now)})`,
                }}
              />
            ))}
          </span>
        </div>
      ))}
      <span className="hidden md:block" />
      <span className="relative h-4 text-quiet" aria-hidden="true">
        {ticks.map((tick) => (
          <span key={tick} className="tabular absolute -translate-x-1/2" style={{ left: place(tick) }}>
            {tickText(tick, span)}
          </span>
        ))}
      </span>
    </div>
  );
}
