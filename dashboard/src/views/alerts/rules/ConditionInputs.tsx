import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { asksFor, type InputsProps } from "./ruleDraft";
import { CLASSES, KINDS, PARTS } from "./ruleWords";

const DIRECTIONS = [
  { value: "above", label: "above" },
  { value: "below", label: "below" },
] as const;

/** The condition of a rule. */
export function ConditionInputs({ draft, onChange, error }: InputsProps) {
  const asks = asksFor(draft.kind);
  return (
    <>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Metric" error={fieldError(error, "kind")}>
          {(ids) => (
            <SelectInput
              {...ids}
              value={draft.kind}
              options={KINDS}
              onChange={(kind) =>
                onChange({
                  kind,
                  threshold: USUAL[kind],
                  recovery: "",
                  of: asksFor(kind).percent && draft.of === "posts" ? "sentiment:negative" : draft.of,
                })
              }
            />
          )}
        </Field>
        {asks.class && (
          <Field label="Posts to count" error={fieldError(error, "of")}>
            {(ids) => (
              <SelectInput
                {...ids}
                value={draft.of}
                options={asks.percent ? PARTS : CLASSES}
                onChange={(of) => onChange({ of })}
              />
            )}
          </Field>
        )}
      </div>
      {asks.threshold && (
        <div className="grid grid-cols-2 gap-3">
          {asks.direction && (
            <Field label="Alert when the value is" error={fieldError(error, "direction")}>
              {(ids) => (
                <SelectInput
                  {...ids}
                  value={draft.direction}
                  options={DIRECTIONS}
                  onChange={(direction) => onChange({ direction })}
                />
              )}
            </Field>
          )}
          <NumberField
            label={asks.percent ? withUnit("Limit", draft.kind) : UNITS[draft.kind]}
            value={draft.threshold}
            onChange={(threshold) => onChange({ threshold })}
            error={fieldError(error, "threshold")}
            required
          />
        </div>
      )}
    </>
  );
}

/** The statistical settings of a rule. Most rules use the defaults. */
export function AdvancedConditionInputs({ draft, onChange, error }: InputsProps) {
  const asks = asksFor(draft.kind);
  if (!asks.threshold) return null;
  return (
    <div className="grid grid-cols-2 gap-3">
      {asks.significance && (
        <NumberField
          label="Maximum p-value"
          hint={draft.kind === "shift" ? "Default: 0.0001" : "Leave empty for no significance test"}
          value={draft.significance}
          onChange={(significance) => onChange({ significance })}
          error={fieldError(error, "significance")}
        />
      )}
      <NumberField
        label={withUnit("Resolves at", draft.kind)}
        hint="Default: the limit"
        value={draft.recovery}
        onChange={(recovery) => onChange({ recovery })}
        error={fieldError(error, "recovery_threshold")}
      />
    </div>
  );
}

/** A label with the unit of a share or of a difference of shares. */
function withUnit(label: string, kind: InputsProps["draft"]["kind"]): string {
  if (kind === "shift") return `${label}, in percentage points`;
  return kind === "share" ? `${label}, in percent` : label;
}

/** The initial limit of each kind. */
const USUAL = { share: "50", ratio: "2", volume: "100", spike: "4", shift: "15", absence: "" } as const;

const UNITS = {
  share: "Limit",
  ratio: "Limit",
  volume: "Posts",
  spike: "Standard deviations above usual",
  shift: "Limit",
  absence: "",
} as const;

interface NumberFieldProps {
  label: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
  required?: boolean;
}

function NumberField({ label, hint, value, onChange, error, required = false }: NumberFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <input
          {...ids}
          type="number"
          step="any"
          inputMode="decimal"
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={`${inputClass} tabular`}
          required={required}
        />
      )}
    </Field>
  );
}
