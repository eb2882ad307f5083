import { Plus, X } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { saveMuteTiming } from "@/api/notify";
import type { MuteInterval, MuteTiming, Weekday } from "@/api/types";
import { zone } from "@/lib/format";
import { writtenOf } from "@/lib/written";
import { Button, IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { NameField } from "../NameField";
import { MuteDates } from "./MuteDates";
import { dayName, WEEKDAYS } from "./muteWords";

const FIELDS = ["name", "zone", "intervals"];

interface MuteFormProps {
  /** The mute timing to edit, or `null` for a new one. */
  before: MuteTiming | null;
  onDone: () => void;
}

/** The form of a mute timing: hours of the week that routes use as quiet hours or as active hours. */
export function MuteForm({ before, onDone }: MuteFormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [place, setPlace] = useState(before?.zone ?? zone());
  const [intervals, setIntervals] = useState<MuteInterval[]>(
    before?.intervals ?? [{ weekdays: [], from: "22:00", to: "07:00" }],
  );
  const save = useSave({
    save: () =>
      saveMuteTiming(
        {
          ...(before ? writtenOf(before) : {}),
          name: name.trim(),
          zone: place.trim(),
          intervals,
        },
        before,
      ),
    invalidates: [keys.muteTimings.all, keys.routes.all],
    onDone,
  });
  const any = fieldError(save.error, "intervals");
  const whole = any?.startsWith("[") ? undefined : any;
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <NameField
        value={name}
        example="nights-and-weekends"
        kept={before !== null}
        onChange={setName}
        error={fieldError(save.error, "name")}
      />
      <Field label="Time zone" hint="For example Europe/Berlin" error={fieldError(save.error, "zone")}>
        {(ids) => (
          <>
            <input
              {...ids}
              list="zones"
              value={place}
              onChange={(event) => setPlace(event.target.value)}
              className={inputClass}
              required
            />
            <datalist id="zones">
              {Intl.supportedValuesOf("timeZone").map((value) => (
                <option key={value} value={value} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      {intervals.map((interval, index) => (
        <IntervalInputs
          // biome-ignore lint/suspicious/noArrayIndexKey: intervals have no other identity
          key={index}
          number={index + 1}
          interval={interval}
          error={fieldError(save.error, `intervals[${index}]`)}
          onChange={(part) =>
            setIntervals(intervals.map((other, at) => (at === index ? { ...other, ...part } : other)))
          }
          onRemove={
            intervals.length > 1 ? () => setIntervals(intervals.filter((_, at) => at !== index)) : null
          }
        />
      ))}
      {whole && <p className="text-xs">▼ {whole}</p>}
      <div>
        <Button
          onClick={() =>
            setIntervals([...intervals, { weekdays: ["saturday", "sunday"], from: "00:00", to: "00:00" }])
          }
        >
          <Plus size={14} aria-hidden="true" />
          Add hours
        </Button>
      </div>
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons submit={before ? "Save" : "Add"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}

interface IntervalInputsProps {
  number: number;
  interval: MuteInterval;
  error: string | undefined;
  onChange: (part: Partial<MuteInterval>) => void;
  onRemove: (() => void) | null;
}

/** The inputs for days of the week and hours of the day. */
function IntervalInputs({ number, interval, error, onChange, onRemove }: IntervalInputsProps) {
  const { weekdays = [], from = "00:00", to = "00:00" } = interval;
  const toggle = (day: Weekday) =>
    onChange({
      weekdays: WEEKDAYS.filter((other) => weekdays.includes(other) !== (other === day)),
    });
  return (
    <fieldset className="flex flex-col gap-2 rounded-md border border-border p-3">
      <legend className="px-1 text-xs text-quiet">Hours {number}</legend>
      <div className="flex flex-wrap gap-1">
        {WEEKDAYS.map((day) => (
          <button
            key={day}
            type="button"
            aria-pressed={weekdays.includes(day)}
            onClick={() => toggle(day)}
            className={cx(
              "h-8 min-w-9 pointer-coarse:h-11 flex-1 rounded-md border px-1 text-sm transition-colors duration-150",
              weekdays.includes(day)
                ? "border-strong bg-raised font-medium text-text"
                : "border-border text-quiet hover:text-text",
            )}
          >
            {dayName(day)}
          </button>
        ))}
      </div>
      <div className="flex items-center gap-2 text-sm">
        <input
          type="time"
          aria-label={`From, hours ${number}`}
          value={from}
          onChange={(event) => onChange({ from: event.target.value })}
          className={cx(inputClass, "w-28")}
          required
        />
        <span className="text-quiet">to</span>
        <input
          type="time"
          aria-label={`To, hours ${number}`}
          value={to === "24:00" ? "00:00" : to}
          onChange={(event) => onChange({ to: event.target.value })}
          className={cx(inputClass, "w-28")}
          required
        />
        {onRemove && (
          <IconButton label={`Remove hours ${number}`} className="ml-auto" onClick={onRemove}>
            <X size={14} />
          </IconButton>
        )}
      </div>
      <MuteDates number={number} interval={interval} onChange={onChange} />
      {error && <p className="text-xs">▼ {error}</p>}
      <p className="text-xs text-quiet">
        {weekdays.length === 0 && "If no day is selected, the hours apply every day. "}
        {from === to ? "Equal times mean the whole day." : to < from ? "The hours end on the next day." : ""}
      </p>
    </fieldset>
  );
}
