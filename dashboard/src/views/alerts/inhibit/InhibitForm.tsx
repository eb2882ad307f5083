import { useState } from "react";
import { keys } from "@/api/keys";
import { saveInhibitRule } from "@/api/notify";
import type { InhibitRule, Matcher } from "@/api/types";
import { writtenOf } from "@/lib/written";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { useSave } from "@/ui/useSave";
import { NameField } from "../NameField";
import { labelsOf } from "../routes/routeDraft";
import { MatcherInputs } from "../silences/MatcherInputs";

const FIELDS = ["name", "mode", "source_matchers", "target_matchers", "equal"];

interface InhibitFormProps {
  /** The inhibition rule to edit, or `null` for a new one. */
  before: InhibitRule | null;
  onDone: () => void;
}

type Mode = NonNullable<InhibitRule["mode"]>;

const MODES: readonly { value: Mode; label: string }[] = [
  { value: "source", label: "Alerts that match the first list" },
  { value: "first", label: "The alert that fires first" },
];

const CRITICAL: Matcher[] = [{ label: "severity", op: "=", value: "critical" }];
const WARNING: Matcher[] = [{ label: "severity", op: "=", value: "warning" }];

/** The form of an inhibition rule. */
export function InhibitForm({ before, onDone }: InhibitFormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [source, setSource] = useState<Matcher[]>(before?.source_matchers ?? CRITICAL);
  const [target, setTarget] = useState<Matcher[]>(before?.target_matchers ?? WARNING);
  const [equal, setEqual] = useState((before?.equal ?? (before ? [] : ["topic"])).join(", "));
  const [mode, setMode] = useState<Mode>(before?.mode ?? "source");
  const save = useSave({
    save: () =>
      saveInhibitRule(
        {
          ...(before ? writtenOf(before) : {}),
          name: name.trim(),
          mode,
          source_matchers: source,
          target_matchers: target,
          equal: labelsOf(equal),
        },
        before,
      ),
    invalidates: [keys.inhibitRules.all, keys.routes.all],
    onDone,
  });
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <NameField
        value={name}
        example="critical-over-warning"
        kept={before !== null}
        onChange={setName}
        error={fieldError(save.error, "name")}
      />
      <Field label="Which alerts suppress others" error={fieldError(save.error, "mode")}>
        {(ids) => <SelectInput {...ids} value={mode} options={MODES} onChange={setMode} />}
      </Field>
      <MatcherInputs
        legend={
          mode === "first" ? "First list: alerts with these labels" : "While alerts with these labels fire"
        }
        matchers={source}
        onChange={setSource}
        error={fieldError(save.error, "source_matchers")}
      />
      <MatcherInputs
        legend={
          mode === "first"
            ? "Second list: alerts with these labels. Of two alerts, one from each list, only the first to fire sends notifications"
            : "Suppress notifications of alerts with these labels"
        }
        matchers={target}
        onChange={setTarget}
        error={fieldError(save.error, "target_matchers")}
      />
      <Field
        label="Labels that must be equal"
        hint="Separated by commas, for example topic, source. Leave empty to compare no labels."
        error={fieldError(save.error, "equal")}
      >
        {(ids) => (
          <input
            {...ids}
            value={equal}
            maxLength={500}
            onChange={(event) => setEqual(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons submit={before ? "Save" : "Add"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}
