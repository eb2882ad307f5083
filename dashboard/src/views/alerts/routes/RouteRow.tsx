import { ArrowRight } from "lucide-react";
import { keys } from "@/api/keys";
import { deleteRoute } from "@/api/notify";
import type { Route } from "@/api/types";
import { spaced } from "@/lib/format";
import { Allowed } from "@/shell/Allowed";
import { EditRemove } from "@/ui/EditRemove";
import { useChange } from "@/ui/useSave";
import { MatcherMark } from "../silences/SilenceRow";

interface RouteRowProps {
  route: Route;
  /** The number of routes above this route in the tree. */
  depth: number;
  /** Whether the receiver does not exist. */
  deadEnd: boolean;
  onEdit: () => void;
}

/** A route with its matchers, its receiver and its timing. */
export function RouteRow({ route, depth, deadEnd, onEdit }: RouteRowProps) {
  const remove = useChange(() => deleteRoute(route), [keys.routes.all]);
  const matchers = route.matchers ?? [];
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div
        className={`min-w-52 flex-1 ${depth > 0 ? "border-l-2 border-border pl-3" : ""}`}
        style={{ marginLeft: `${Math.min(depth, 6) * 1.25}rem` }}
      >
        {depth > 0 && (
          <span className="sr-only">
            Child of {route.parent}, level {depth + 1}:{" "}
          </span>
        )}
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          {matchers.length === 0 && (
            <span>{depth > 0 ? "All alerts of the parent route" : "All other alerts"}</span>
          )}
          {matchers.map((matcher) => (
            <MatcherMark key={`${matcher.label}${matcher.op}${matcher.value}`} matcher={matcher} />
          ))}
          <ArrowRight size={14} role="img" aria-label="to" className="text-quiet" />
          <span className="font-medium [overflow-wrap:anywhere]">{route.receiver}</span>
        </p>
        {deadEnd && <p className="mt-1">▼ This receiver does not exist. No notifications are sent.</p>}
        <p className="mt-1 text-xs text-quiet [overflow-wrap:anywhere]">
          {route.name}
          {route.continue && ", also tries the next routes"}
          {`: ${paceText(route)}`}
          {route.provisioned && ", from the configuration"}
        </p>
        {(route.mute_timings ?? []).length > 0 && (
          <p className="text-xs text-quiet [overflow-wrap:anywhere]">
            Quiet hours: {route.mute_timings?.join(", ")}
          </p>
        )}
        {(route.active_timings ?? []).length > 0 && (
          <p className="text-xs text-quiet [overflow-wrap:anywhere]">
            Sends only during: {route.active_timings?.join(", ")}
          </p>
        )}
      </div>
      <Allowed scope="edit">
        {!route.provisioned && (
          <div className="flex flex-wrap gap-2">
            <EditRemove
              name={route.name}
              text="A route with child routes cannot be removed. The alerts of a removed route use the next matching route or the parent route. Alerts without a route appear on the dashboard only."
              remove={remove}
              onEdit={onEdit}
            />
          </div>
        )}
      </Allowed>
    </li>
  );
}

function paceText({ group_by, group_wait, group_interval, repeat_interval }: Route): string {
  const names = group_by?.map((label) => (label === "alertname" ? "rule" : label)) ?? [];
  const group = names.length > 0 ? `grouped by ${names.join(" and ")}` : "in one group";
  return `${group}. First after ${spaced(group_wait ?? "0s")}, updates every ${spaced(group_interval ?? "")}, reminder every ${spaced(repeat_interval ?? "")}`;
}
