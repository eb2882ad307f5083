import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ArrowRight } from "lucide-react";
import { deleteRoute } from "@/api/notify";
import type { Route } from "@/api/types";
import { Button } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { MatcherMark } from "../silences/SilenceRow";

interface RouteRowProps {
  route: Route;
  /** Its receiver does not exist. */
  deadEnd: boolean;
  onEdit: () => void;
}

/** One route: which alerts, to whom, and how often. */
export function RouteRow({ route, deadEnd, onEdit }: RouteRowProps) {
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deleteRoute(route),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["routes"] });
      void queries.invalidateQueries({ queryKey: ["route-preview"] });
    },
  });
  const matchers = route.matchers ?? [];
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          {matchers.length === 0 && <span>All other alerts</span>}
          {matchers.map((matcher) => (
            <MatcherMark key={`${matcher.label}${matcher.op}${matcher.value}`} matcher={matcher} />
          ))}
          <ArrowRight size={14} role="img" aria-label="go to" className="text-quiet" />
          <span className="font-medium [overflow-wrap:anywhere]">{route.receiver}</span>
        </p>
        {deadEnd && <p className="mt-1">▼ There is no such receiver: nobody is told.</p>}
        <p className="mt-1 text-xs text-quiet [overflow-wrap:anywhere]">
          {route.name}
          {route.continue && ", then the routes after it too"}
          {`, ${paceText(route)}`}
          {route.provisioned && ", from the configuration file"}
        </p>
        {(route.mute_timings ?? []).length > 0 && (
          <p className="text-xs text-quiet [overflow-wrap:anywhere]">
            Nobody is told in {route.mute_timings?.join(", ")}
          </p>
        )}
      </div>
      {!route.provisioned && (
        <div className="flex flex-wrap gap-2">
          <Button onClick={onEdit} aria-label={`Change ${route.name}`}>
            Change
          </Button>
          <ConfirmButton
            action="Remove"
            title={`Remove ${route.name}?`}
            text="Alerts that it took go by the routes after it, or only to the dashboard."
            pending={remove.isPending}
            error={remove.error}
            onConfirm={() => remove.mutate()}
          />
        </div>
      )}
    </li>
  );
}

function paceText({ group_by, group_wait, group_interval, repeat_interval }: Route): string {
  const together = group_by?.length ? `together by ${group_by.join(" and ")}` : "all together";
  return `${together}, after ${group_wait}, at most every ${group_interval}, again after ${repeat_interval}`;
}
