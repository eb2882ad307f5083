import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { deleteRule, saveRule } from "@/api/rules";
import type { Rule } from "@/api/types";
import { Button, buttonClass } from "@/ui/Button";
import { ConfirmButton, FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { draftOf, ruleOf } from "./ruleDraft";
import { ruleSentence } from "./ruleWords";

/** One rule: what it watches, in a sentence, and whether it does. */
export function RuleRow({ rule }: { rule: Rule }) {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["rules"] });
  const toggle = useMutation({
    mutationFn: () => saveRule({ ...ruleOf(draftOf(rule)), enabled: !rule.enabled }, rule),
    onSuccess,
  });
  const remove = useMutation({ mutationFn: () => deleteRule(rule), onSuccess });
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className={cx("min-w-60 flex-1", !rule.enabled && "text-quiet")}>
        <p>
          <span className="font-medium [overflow-wrap:anywhere]">{rule.name}</span>{" "}
          <span className="text-quiet">
            {rule.severity}
            {rule.state === "firing" && ", ▼ fires now"}
            {!rule.enabled && ", switched off"}
            {rule.provisioned && ", from the configuration file"}
          </span>
        </p>
        <p className="text-xs text-quiet [overflow-wrap:anywhere]">{ruleSentence(rule)}</p>
        <FailureNote error={toggle.error} />
      </div>
      <div className="flex flex-wrap gap-2">
        <Link
          to="/alerts/rules/$id"
          params={{ id: String(rule.id) }}
          className={buttonClass()}
          aria-label={`${rule.provisioned ? "View" : "Change"} ${rule.name}`}
        >
          {rule.provisioned ? "View" : "Change"}
        </Link>
        {!rule.provisioned && (
          <>
            <Button onClick={() => toggle.mutate()} disabled={toggle.isPending}>
              {rule.enabled ? "Switch off" : "Switch on"}
            </Button>
            <ConfirmButton
              action="Remove"
              title={`Remove ${rule.name}?`}
              text="What it found stays in the history."
              pending={remove.isPending}
              error={remove.error}
              onConfirm={() => remove.mutate()}
            />
          </>
        )}
      </div>
    </li>
  );
}
