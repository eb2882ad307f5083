import { Popover } from "@base-ui/react/popover";
import { CalendarRange } from "lucide-react";
import { type FormEvent, useState } from "react";
import { zone } from "@/lib/format";
import { fromLocalInput, toLocalInput } from "@/lib/localInput";
import { rangeName, windowOf } from "@/lib/range";
import { rangeLabel } from "@/lib/rangeLabel";
import { DEFAULT_RANGE, RANGE_KEYS, type RangeKey, type Search } from "@/lib/search";
import { Button, buttonClass } from "@/ui/Button";
import { Choice } from "@/ui/Choice";
import { cx } from "@/ui/cx";
import { inputClass } from "@/ui/Input";
import { popupClass } from "@/ui/popup";
import { useView } from "./useView";

const OPTIONS = RANGE_KEYS.map((value) => ({ value, label: rangeName(value) }));

/** Chooses the time range: a preset or a custom range. */
export function RangePicker() {
  const { search, change } = useView();
  const choose = (range: RangeKey) => change({ range, from: undefined, to: undefined });
  return (
    <div className="flex shrink-0 items-center gap-2">
      <Choice
        label="Time range"
        value={search.from ? null : (search.range ?? DEFAULT_RANGE)}
        options={OPTIONS}
        onChange={choose}
      />
      <CustomRange search={search} onChoose={(from, to) => change({ range: undefined, from, to })} />
    </div>
  );
}

function CustomRange({ search, onChoose }: { search: Search; onChoose: (from: string, to: string) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={search.from ? `Custom range: ${rangeLabel(search)}` : "Custom range"}
        className={cx(buttonClass("outline"), search.from && "bg-raised font-medium")}
      >
        <CalendarRange size={14} aria-hidden="true" className="text-quiet" />
        {search.from && <span className="tabular">{rangeLabel(search)}</span>}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="start" className="z-50">
          <Popover.Popup className={cx(popupClass, "p-4")}>
            <RangeForm
              search={search}
              onChoose={(from, to) => {
                setOpen(false);
                onChoose(from, to);
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
