import { useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { getRules } from "@/api/rules";
import type { Alert, Rule } from "@/api/types";

/** The rules with the state of their series. */
export function useRulesQuery(interval = 30_000) {
  return useQuery({
    queryKey: keys.rules.list,
    queryFn: ({ signal }) => getRules(signal),
    refetchInterval: interval,
  });
}

/** The value that a rule measures now for the scope of an alert, or `undefined` if it is not known. */
export function currentValue(rules: readonly Rule[] | undefined, alert: Alert): number | undefined {
  const rule = rules?.find(({ id }) => id === alert.rule_id);
  return rule?.series.find(({ scope }) => scope === alert.scope)?.value ?? undefined;
}
