import type { SourceField, SourceKind } from "@/api/types";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { plainHelp, type Values } from "./values";

/** The key of the setting that says how far back to read. */
const HISTORY = "history";

interface SourceFieldsProps {
  kind: SourceKind;
  values: Values;
  /** The keys of the secrets that are saved. */
  saved: readonly string[];
  error: unknown;
  onChange: (key: string, value: string | boolean) => void;
}

/** The fields of a kind of source, as the server describes them. Optional fields are collapsed. */
export function SourceFields({ kind, values, saved, error, onChange }: SourceFieldsProps) {
  const control = (field: SourceField) => (
    <SourceInput
      key={field.key}
      field={field}
      value={values[field.key] ?? ""}
      isSaved={saved.includes(field.key)}
      error={fieldError(error, `settings.${field.key}`) ?? fieldError(error, `secrets.${field.key}`)}
      onChange={(value) => onChange(field.key, value)}
    />
  );
  const [main, more] = [kind.fields.filter(isMain), kind.fields.filter((field) => !isMain(field))];
  return (
    <>
      {main.map(control)}
      {more.length > 0 && (
        <details className="text-sm">
          <summary className="cursor-pointer py-1 text-quiet hover:text-text">More settings</summary>
          <div className="mt-2 flex flex-col gap-4">{more.map(control)}</div>
        </details>
      )}
    </>
  );
}

/** Whether a field is always visible: required fields, lists, secrets, paths of values in JSON, and the history. */
function isMain({ key, required, type }: SourceField): boolean {
  return required || type === "list" || type === "secret" || key.endsWith("_path") || key === HISTORY;
}

const SPANS: readonly [value: string, label: string][] = [
  ["0s", "Only new posts"],
  ["1d", "New posts and the last day"],
  ["7d", "New posts and the last 7 days"],
  ["30d", "New posts and the last 30 days"],
  ["90d", "New posts and the last 90 days"],
];

interface HistoryInputProps {
  value: string;
  help: string;
  onChange: (value: string) => void;
}

/** How far back to read. A current span that is not in the list is added to the options. */
function HistoryInput({ value, help, onChange }: HistoryInputProps) {
  const options = SPANS.map(([span, label]) => ({ value: span, label }));
  const isListed = options.some((option) => option.value === value);
  return (
    <Field label="Posts to read" hint={`${help} Older posts raise no alerts, but topics match them.`}>
      {(ids) => (
        <SelectInput
          {...ids}
          value={value}
          options={isListed ? options : [...options, { value, label: `New posts and the last ${value}` }]}
          onChange={onChange}
        />
      )}
    </Field>
  );
}

interface SourceInputProps {
  field: SourceField;
  value: string | boolean;
  isSaved: boolean;
  error: string | undefined;
  onChange: (value: string | boolean) => void;
}

function SourceInput({ field, value, isSaved, error, onChange }: SourceInputProps) {
  const help = plainHelp(field.help);
  if (typeof value === "boolean") {
    return (
      <label className="flex items-start gap-2 text-sm">
        <input
          type="checkbox"
          checked={value}
          onChange={(event) => onChange(event.target.checked)}
          className="mt-0.5 size-4 accent-(--color-focus)"
        />
        <span>
          {field.title}
          <span className="block text-xs text-quiet">{help}</span>
        </span>
      </label>
    );
  }
  if (field.key === HISTORY) return <HistoryInput value={value} help={help} onChange={onChange} />;
  const hint = field.type === "list" ? `${help} One per line.` : help;
  return (
    <Field
      label={field.title}
      hint={
        isSaved
          ? `A value is saved. Leave empty to keep it. Enter it again if you change the server. ${hint}`
          : hint
      }
      error={error}
    >
      {(ids) =>
        field.type === "list" ? (
          <textarea
            {...ids}
            value={value}
            rows={3}
            spellCheck={false}
            required={field.required}
            onChange={(event) => onChange(event.target.value)}
            className={`${inputClass} h-auto py-1.5 font-mono`}
          />
        ) : (
          <input
            {...ids}
            type={field.type === "secret" ? "password" : "text"}
            autoComplete={field.type === "secret" ? "new-password" : "off"}
            inputMode={field.type === "number" ? "decimal" : undefined}
            value={value}
            required={field.required && !isSaved}
            onChange={(event) => onChange(event.target.value)}
            className={inputClass}
          />
        )
      }
    </Field>
  );
}
