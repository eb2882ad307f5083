import { Popover } from "@base-ui/react/popover";
import { CalendarRange } from "lucide-react";
import { type FormEvent, useState } from "react";
import { zone } from "@/lib/format";
import { fromLocalInput, toLocalInput } from "@/lib/localInput";
import { rangeName, windowOf } from "@/lib/range";
import { rangeLabel } from "@/lib/rangeLabel";
import { CALENDAR_KEYS, DEFAULT_RANGE, RANGE_KEYS, type RangeKey, type Search } from "@/lib/search";
import { Button, buttonClass } from "@/ui/Button";
import { Choice } from "@/ui/Choice";
import { cx } from "@/ui/cx";
import { inputClass } from "@/ui/Input";
import { popupClass } from "@/ui/popup";
import { useView } from "./useView";

const OPTIONS = RANGE_KEYS.map((value) => ({ value, label: rangeName(value) }));

/** Chooses the time range: a preset, a calendar range or a custom range. */
export function RangePicker({ fallback = DEFAULT_RANGE }: { fallback?: RangeKey }) {
  const { search, change } = useView();
  const choose = (range: RangeKey) => change({ range, from: undefined, to: undefined });
  const key = search.from ? null : (search.range ?? fallback);
  return (
    <div className="flex max-w-full flex-wrap items-center gap-2 sm:shrink-0 sm:flex-nowrap">
      <Choice
        label="Time range"
        value={RANGE_KEYS.find((preset) => preset === key) ?? null}
        options={OPTIONS}
        onChange={choose}
      />
      <MoreRanges
        search={search}
        onChoose={choose}
        onCustom={(from, to) => change({ range: undefined, from, to })}
      />
    </div>
  );
}

interface MoreRangesProps {
  search: Search;
  onChoose: (range: RangeKey) => void;
  onCustom: (from: string, to: string) => void;
}

function MoreRanges({ search, onChoose, onCustom }: MoreRangesProps) {
  const [open, setOpen] = useState(false);
  const calendar = CALENDAR_KEYS.find((key) => !search.from && key === search.range);
  const label = search.from ? rangeLabel(search) : calendar && rangeName(calendar);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={label ? `More ranges: ${label}` : "More ranges"}
        title={label ?? "More ranges"}
        className={cx(buttonClass("outline"), "max-w-76", label && "bg-raised font-medium")}
      >
        <CalendarRange size={14} aria-hidden="true" className="shrink-0 text-quiet" />
        {label && <span className="tabular truncate">{label}</span>}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="z-50">
          <Popover.Popup className={cx(popupClass, "p-4")}>
            <div className="mb-4 flex gap-2">
              {CALENDAR_KEYS.map((key) => (
                <Button
                  key={key}
                  aria-pressed={key === calendar}
                  className={cx(key === calendar && "bg-raised font-medium")}
                  onClick={() => {
                    setOpen(false);
                    onChoose(key);
                  }}
                >
                  {rangeName(key)}
                </Button>
              ))}
            </div>
            <RangeForm
              search={search}
              onChoose={(from, to) => {
                setOpen(false);
                onCustom(from, to);
              }}
            />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function RangeForm({ search, onChoose }: { search: Search; onChoose: (from: string, to: string) => void }) {
  const [shown] = useState(() => windowOf(search, Date.now()));
  const [from, setFrom] = useState(toLocalInput(shown.start));
  const [to, setTo] = useState(toLocalInput(Math.min(shown.end, Date.now())));
  const start = fromLocalInput(from);
  const end = fromLocalInput(to);
  const valid = start !== null && end !== null && start < end;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (valid) onChoose(start, end);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Popover.Title className="text-sm font-medium">Custom range</Popover.Title>
      <label className="flex flex-col gap-1 text-xs text-quiet">
        From
        <input
          type="datetime-local"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
          className={inputClass}
          required
        />
      </label>
      <label className="flex flex-col gap-1 text-xs text-quiet">
        Until
        <input
          type="datetime-local"
          value={to}
          onChange={(event) => setTo(event.target.value)}
          className={inputClass}
          required
        />
      </label>
      <p className="text-xs text-quiet">
        {valid ? `Times in ${zone()}` : "The start must be before the end."}
      </p>
      <Button type="submit" look="solid" disabled={!valid}>
        Show
      </Button>
    </form>
  );
}
