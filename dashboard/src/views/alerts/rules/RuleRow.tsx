import { Link } from "@tanstack/react-router";
import { useAccess } from "@/api/access";
import { keys } from "@/api/keys";
import { deleteRule, saveRule } from "@/api/rules";
import type { Rule } from "@/api/types";
import { Button, buttonClass } from "@/ui/Button";
import { ConfirmButton, FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { useChange } from "@/ui/useSave";
import { ruleTitle } from "../words";
import { draftOf, ruleOf } from "./ruleDraft";
import { ruleSentence } from "./ruleWords";

/** A rule: its condition in a sentence and its state. */
export function RuleRow({ rule }: { rule: Rule }) {
  const toggle = useChange(
    () => saveRule({ ...ruleOf(draftOf(rule)), enabled: !rule.enabled }, rule),
    [keys.rules.all],
  );
  const remove = useChange(() => deleteRule(rule), [keys.rules.all]);
  const { can } = useAccess();
  const isFixed = rule.provisioned || !can("edit");
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className={cx("min-w-60 flex-1", !rule.enabled && "text-quiet")}>
        <p>
          <span className="font-medium [overflow-wrap:anywhere]" title={rule.name}>
            {ruleTitle(rule.name)}
          </span>{" "}
          <span className="text-quiet">
            {rule.severity}
            {rule.state === "firing" && ", ▼ firing"}
            {!rule.enabled && ", off"}
            {rule.provisioned && ", from the configuration"}
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
          aria-label={`${isFixed ? "View" : "Edit"} ${ruleTitle(rule.name)}`}
        >
          {isFixed ? "View" : "Edit"}
        </Link>
        {!isFixed && (
          <>
            <Button onClick={() => toggle.mutate()} disabled={toggle.isPending}>
              {rule.enabled ? "Turn off" : "Turn on"}
            </Button>
            <ConfirmButton
              action="Remove"
              title={`Remove ${rule.name}?`}
              text="Its active alerts are resolved. All its alerts stay in the history."
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
