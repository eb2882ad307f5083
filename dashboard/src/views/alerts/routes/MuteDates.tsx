import { useState } from "react";
import type { MuteInterval } from "@/api/types";
import { Field } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { labelsOf } from "./routeDraft";

type Dates = "months" | "days_of_month" | "years";

const FIELDS = [
  { name: "months", label: "Months", hint: "For example december, or may:august" },
  {
    name: "days_of_month",
    label: "Days of the month",
    hint: "For example 24:26 for the 24th to the 26th, or -1 for the last day",
  },
  { name: "years", label: "Years", hint: "For example 2026, or 2026:2028" },
] as const satisfies readonly { name: Dates; label: string; hint: string }[];

interface MuteDatesProps {
  number: number;
  interval: MuteInterval;
  onChange: (part: Partial<MuteInterval>) => void;
}

/** Restricts hours to months, days of the month and years. */
export function MuteDates({ number, interval, onChange }: MuteDatesProps) {
  const [texts, setTexts] = useState<Record<Dates, string>>({
    months: (interval.months ?? []).join(", "),
    days_of_month: (interval.days_of_month ?? []).join(", "),
    years: (interval.years ?? []).join(", "),
  });
  const [openAtFirst] = useState(() => Object.values(texts).some((text) => text !== ""));
  const type = (name: Dates, text: string) => {
    setTexts((old) => ({ ...old, [name]: text }));
    onChange({ [name]: labelsOf(text.toLowerCase()) });
  };
  return (
    <details open={openAtFirst}>
      <summary className="text-sm pointer-coarse:py-3">Only on certain dates</summary>
      <div className="flex flex-col gap-2 pt-2">
        {FIELDS.map(({ name, label, hint }) => (
          <Field key={name} label={`${label}, hours ${number}`} hint={`${hint}. Leave empty for all`}>
            {(ids) => (
              <input
                {...ids}
                value={texts[name]}
                maxLength={200}
                onChange={(event) => type(name, event.target.value)}
                className={inputClass}
              />
            )}
          </Field>
        ))}
      </div>
    </details>
  );
}
