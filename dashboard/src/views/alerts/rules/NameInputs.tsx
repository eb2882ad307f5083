import { CheckBox } from "@/ui/CheckBox";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import type { InputsProps } from "./ruleDraft";
import { SEVERITIES } from "./ruleWords";

/** The name, the severity and the message of a rule. */
export function NameInputs({ draft, onChange, error }: InputsProps) {
  return (
    <>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Name" error={fieldError(error, "name")}>
          {(ids) => (
            <input
              {...ids}
              value={draft.name}
              maxLength={100}
              onChange={(event) => onChange({ name: event.target.value })}
              className={inputClass}
              required
            />
          )}
        </Field>
        <Field label="Severity" error={fieldError(error, "severity")}>
          {(ids) => (
            <SelectInput
              {...ids}
              value={draft.severity}
              options={SEVERITIES}
              onChange={(severity) => onChange({ severity })}
            />
          )}
        </Field>
      </div>
      <Field
        label="Message"
        hint="Placeholders: {{value}}, {{threshold}}, {{posts}}, {{baseline}}, {{window}}, {{scope}}, {{source}}, {{rule}} and {{severity}}"
        error={fieldError(error, "annotations")}
      >
        {(ids) => (
          <textarea
            {...ids}
            value={draft.summary}
            maxLength={1_000}
            onChange={(event) => onChange({ summary: event.target.value })}
            className={`${inputClass} h-16 py-1.5`}
          />
        )}
      </Field>
      <CheckBox checked={draft.enabled} onChange={(enabled) => onChange({ enabled })}>
        Rule is on
      </CheckBox>
    </>
  );
}
