import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useAccess } from "@/api/access";
import { keys } from "@/api/keys";
import { getRule, saveRule } from "@/api/rules";
import type { Rule } from "@/api/types";
import { WHO_MAY } from "@/lib/roles";
import { keepFilters } from "@/shell/keepFilters";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { FormError, fieldError } from "@/ui/Field";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { useSave } from "@/ui/useSave";
import { AlertTabs } from "../AlertTabs";
import { BacktestCard } from "./BacktestCard";
import { AdvancedConditionInputs, ConditionInputs } from "./ConditionInputs";
import { CountingInputs } from "./CountingInputs";
import { NameInputs } from "./NameInputs";
import { type Draft, draftFor, draftOf, ruleOf } from "./ruleDraft";
import { ScopeInputs } from "./ScopeInputs";
import { TemplateChoice } from "./TemplateChoice";
import { AdvancedTimingInputs, TimingInputs } from "./TimingInputs";

const FIELDS = [
  ...[
    "name",
    "kind",
    "of",
    "direction",
    "threshold",
    "significance",
    "baseline_window",
    "recovery_threshold",
    "scope",
    "group_by",
  ],
  ...["window", "interval", "min_posts", "for", "keep_firing_for", "severity", "annotations"],
  ...["distinct", "min_authors", "no_data", "delay"],
];

const ADVANCED = [
  ...["significance", "recovery_threshold", "baseline_window", "keep_firing_for", "interval"],
  ...["distinct", "min_authors", "no_data", "delay"],
];

/** The rule editor with a preview over the last day. */
export function RuleEditor() {
  const { id } = useParams({ from: "/alerts/rules/$id" });
  const isNew = id === "new";
  const query = useQuery({
    queryKey: keys.rules.one(id),
    queryFn: ({ signal }) => getRule(Number(id), signal),
    enabled: !isNew,
    // The form must not change while it is edited. Saving reports a concurrent change.
    refetchInterval: false,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  return (
    <>
      <AlertTabs />
      {isNew ? (
        <Editor before={null} />
      ) : query.data ? (
        <Editor key={query.data.version} before={query.data} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : (
        <SkeletonRows />
      )}
    </>
  );
}

function Editor({ before }: { before: Rule | null }) {
  const navigate = useNavigate();
  const { search } = useView();
  const [draft, setDraft] = useState(() => (before ? draftOf(before) : draftFor(search)));
  const leave = () => void navigate({ to: "/alerts/rules", search: keepFilters });
  const save = useSave({
    save: () => saveRule(ruleOf(draft), before),
    invalidates: [keys.rules.all],
    onDone: leave,
  });
  // A rejected field must be visible.
  const advanced = ADVANCED.some((name) => fieldError(save.error, name) !== undefined);
  const { can } = useAccess();
  const fixed = (before?.provisioned ?? false) || !can("edit");
  const inputs = {
    draft,
    onChange: (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part })),
    error: save.error,
  };
  return (
    <div className="grid grid-cols-1 items-start gap-4 xl:grid-cols-[26rem_minmax(0,1fr)]">
      <Card title={before ? before.name : "New rule"}>
        <form onSubmit={save.submit}>
          <fieldset disabled={fixed} className="flex min-w-0 flex-col gap-4">
            {!before && <TemplateChoice draft={draft} onChange={inputs.onChange} />}
            <ConditionInputs {...inputs} />
            <ScopeInputs {...inputs} />
            <TimingInputs {...inputs} />
            <NameInputs {...inputs} />
            <details className="rounded-md border border-border" open={advanced}>
              <summary className="px-3 py-2 text-sm">Advanced</summary>
              <div className="flex flex-col gap-4 px-3 pt-1 pb-3">
                <AdvancedConditionInputs {...inputs} />
                <CountingInputs {...inputs} />
                <AdvancedTimingInputs {...inputs} />
              </div>
            </details>
          </fieldset>
          <div className="mt-4 flex flex-wrap items-center justify-end gap-2">
            {fixed && (
              <p className="mr-auto text-xs text-quiet">
                {before?.provisioned
                  ? "This rule is defined in the configuration file. Edit it there."
                  : `Only ${WHO_MAY.edit} can change rules.`}
              </p>
            )}
            <FormError error={save.error} fields={FIELDS} />
            <Button onClick={leave}>{fixed ? "Back" : "Cancel"}</Button>
            {!fixed && (
              <Button type="submit" look="solid" disabled={save.pending}>
                {before ? "Save" : "Add rule"}
              </Button>
            )}
          </div>
        </form>
      </Card>
      <BacktestCard rule={ruleOf(draft)} />
    </div>
  );
}
