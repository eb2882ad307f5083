import { useState } from "react";
import { keys } from "@/api/keys";
import { changeSetting, type Setting } from "@/api/settings";
import { sentence } from "@/lib/labels";
import { Button } from "@/ui/Button";
import { CheckBox } from "@/ui/CheckBox";
import { DurationField } from "@/ui/DurationField";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { useChange, useSave } from "@/ui/useSave";
import { inputText, typedValue, valueText } from "./values";

/** Changes a setting. The server validates the value with the code that reads the configuration file. */
export function SettingForm({ setting, onDone }: { setting: Setting; onDone: () => void }) {
  const [value, setValue] = useState(setting.value);
  const done = { invalidates: [keys.settings.all], onDone };
  const { submit, error, pending } = useSave({ save: () => changeSetting(setting, value), ...done });
  const reset = useChange(() => changeSetting(setting, null), done.invalidates, onDone);
  const message = fieldError(error ?? reset.error, "value");
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="text-sm text-quiet">{setting.help}</p>
      <ValueInput setting={setting} value={value} error={message} onChange={setValue} />
      <p className="text-xs text-quiet">
        Default: {valueText(setting.default)}. All instances apply a change within two seconds.
      </p>
      <FormError error={error ?? reset.error} fields={["value"]} />
      <div className="flex flex-wrap items-center justify-between gap-2">
        <span>
          {setting.origin.layer === "database" && (
            <Button onClick={() => reset.mutate()} disabled={reset.isPending || pending}>
              Use the default
            </Button>
          )}
        </span>
        <FormButtons submit="Save" pending={pending || reset.isPending} onCancel={onDone} />
      </div>
    </form>
  );
}

const PRESETS: Readonly<Record<string, readonly string[]>> = {
  "cache.ttl": ["0s", "2s", "10s"],
  "alerts.window": ["5min", "15min", "1h"],
  "alerts.keep_firing_for": ["0s", "10min", "1h"],
};
const LONG_PRESETS = ["7d", "30d", "90d", "366d"];

interface ValueInputProps {
  setting: Setting;
  value: unknown;
  error: string | undefined;
  onChange: (value: unknown) => void;
}

function ValueInput({ setting, value, error, onChange }: ValueInputProps) {
  const { key, type, choices, optional } = setting;
  if (type === "boolean") {
    return (
      <CheckBox checked={value === true} onChange={onChange}>
        On
      </CheckBox>
    );
  }
  if (type === "duration") {
    return (
      <DurationField
        label="Value"
        hint={optional ? 'Such as "12h" or "30d". Empty: no limit.' : 'Such as "10s", "5min" or "1h 30min".'}
        error={error}
        value={inputText(value)}
        presets={PRESETS[key] ?? LONG_PRESETS}
        optional={optional}
        onChange={onChange}
      />
    );
  }
  return (
    <Field label="Value" error={error}>
      {(ids) =>
        choices.length > 0 ? (
          <SelectInput
            {...ids}
            value={inputText(value)}
            options={choices.map((choice) => ({ value: choice, label: sentence(choice) }))}
            onChange={onChange}
          />
        ) : (
          <NumberOrText ids={ids} type={type} value={value} onChange={onChange} />
        )
      }
    </Field>
  );
}

interface NumberOrTextProps {
  ids: object;
  type: Setting["type"];
  value: unknown;
  onChange: (value: unknown) => void;
}

function NumberOrText({ ids, type, value, onChange }: NumberOrTextProps) {
  const [text, setText] = useState(inputText(value));
  const isNumber = type === "integer" || type === "number";
  return (
    <input
      {...ids}
      inputMode={isNumber ? "decimal" : "text"}
      value={text}
      maxLength={1_000}
      onChange={(event) => {
        setText(event.target.value);
        onChange(typedValue(event.target.value, type));
      }}
      className={`${inputClass} tabular`}
    />
  );
}
