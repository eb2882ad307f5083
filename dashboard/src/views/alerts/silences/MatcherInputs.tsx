import { Plus, X } from "lucide-react";
import { useId } from "react";
import type { Matcher } from "@/api/types";
import { Button, IconButton } from "@/ui/Button";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";

const OPERATORS = [
  { value: "=", label: "is" },
  { value: "!=", label: "is not" },
  { value: "=~", label: "matches regex" },
  { value: "!~", label: "does not match" },
] as const satisfies readonly { value: Matcher["op"]; label: string }[];

/** Suggested labels. */
const LABELS = ["alertname", "severity", "kind", "source", "topic"];

const ROW =
  "grid grid-cols-[minmax(0,1.3fr)_5.25rem_minmax(0,1fr)_2rem] gap-1.5 " +
  "sm:grid-cols-[minmax(0,1fr)_6.5rem_minmax(0,1fr)_2rem]";

interface MatcherInputsProps {
  matchers: readonly Matcher[];
  onChange: (matchers: Matcher[]) => void;
  error: string | undefined;
  /** Whether the list may be empty. An empty list matches every alert. */
  optional?: boolean;
  legend?: string;
}

/** Conditions on the labels of an alert. All of them must match. */
export function MatcherInputs({
  matchers,
  onChange,
  error,
  optional = false,
  legend = "Alerts that match all conditions",
}: MatcherInputsProps) {
  const names = useId();
  const replace = (index: number, part: Partial<Matcher>) =>
    onChange(matchers.map((matcher, at) => (at === index ? { ...matcher, ...part } : matcher)));
  return (
    <fieldset className="flex flex-col gap-2 text-sm">
      <legend className="mb-1 text-xs text-quiet">{legend}</legend>
      <datalist id={names}>
        {LABELS.map((label) => (
          <option key={label} value={label} />
        ))}
      </datalist>
      {matchers.map((matcher, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: conditions have no other identity
        <div key={index} className={ROW}>
          <input
            aria-label={`Label ${index + 1}`}
            list={names}
            value={matcher.label}
            onChange={(event) => replace(index, { label: event.target.value })}
            className={inputClass}
            required
          />
          <SelectInput
            aria-label={`Comparison ${index + 1}`}
            value={matcher.op}
            options={OPERATORS}
            onChange={(op) => replace(index, { op })}
          />
          <input
            aria-label={`Value ${index + 1}`}
            value={matcher.value}
            onChange={(event) => replace(index, { value: event.target.value })}
            className={inputClass}
          />
          <IconButton
            label={`Remove condition ${index + 1}`}
            disabled={matchers.length === 1 && !optional}
            onClick={() => onChange(matchers.filter((_, at) => at !== index))}
          >
            <X size={14} />
          </IconButton>
        </div>
      ))}
      {error && <p className="text-xs">▼ {error}</p>}
      <div>
        <Button onClick={() => onChange([...matchers, { label: "", op: "=", value: "" }])}>
          <Plus size={14} aria-hidden="true" />
          Add condition
        </Button>
      </div>
    </fieldset>
  );
}
