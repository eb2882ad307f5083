import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { type FormEvent, useState } from "react";
import { saveMuteTiming } from "@/api/notify";
import type { MuteInterval, MuteTiming, Weekday } from "@/api/types";
import { zone } from "@/lib/format";
import { Button, IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { Field, FormError, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { NameField } from "../NameField";
import { dayName, WEEKDAYS } from "./muteWords";

const FIELDS = ["name", "zone", "intervals"];

interface MuteFormProps {
  /** The mute timing that is changed; a new one otherwise. */
  before: MuteTiming | null;
  onDone: () => void;
}

/** Names hours of the week in which nobody is told. */
export function MuteForm({ before, onDone }: MuteFormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(before?.name ?? "");
  const [place, setPlace] = useState(before?.zone ?? zone());
  const [intervals, setIntervals] = useState<MuteInterval[]>(
    before?.intervals ?? [{ weekdays: [], from: "22:00", to: "07:00" }],
  );
  const save = useMutation({
    mutationFn: () => saveMuteTiming({ name: name.trim(), zone: place.trim(), intervals }, before),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["mute-timings"] });
      void queries.invalidateQueries({ queryKey: ["route-preview"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const error = fieldError(save.error, "intervals");
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <NameField
        value={name}
        example="nights-and-weekends"
        kept={before !== null}
        onChange={setName}
        error={fieldError(save.error, "name")}
      />
      <Field label="Time zone" hint="As Europe/Berlin" error={fieldError(save.error, "zone")}>
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
          onChange={(part) =>
            setIntervals(intervals.map((other, at) => (at === index ? { ...other, ...part } : other)))
          }
          onRemove={
            intervals.length > 1 ? () => setIntervals(intervals.filter((_, at) => at !== index)) : null
          }
        />
      ))}
      {error && <p className="text-xs">▼ {error}</p>}
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
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="solid" disabled={save.isPending}>
          {before ? "Save" : "Add"}
        </Button>
      </div>
    </form>
  );
}

interface IntervalInputsProps {
  number: number;
  interval: MuteInterval;
  onChange: (part: Partial<MuteInterval>) => void;
  onRemove: (() => void) | null;
}

/** Some days of the week, and hours of them. */
function IntervalInputs({ number, interval, onChange, onRemove }: IntervalInputsProps) {
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
              "h-8 min-w-9 flex-1 rounded-md border px-1 text-sm transition-colors duration-150",
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
      <p className="text-xs text-quiet">
        {weekdays.length === 0 && "No day chosen means each day. "}
        {from === to ? "The same time twice is the whole day." : to < from ? "Until the next day." : ""}
      </p>
    </fieldset>
  );
}
