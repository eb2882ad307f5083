import { zone } from "@/lib/format";
import { fromLocalInput, toLocalInput } from "@/lib/localInput";
import { AGAINST_KEYS } from "@/lib/search";
import { useView } from "@/shell/useView";
import { Choice } from "@/ui/Choice";
import { cx } from "@/ui/cx";
import { inputClass } from "@/ui/Input";

const OPTIONS = [
  { value: "before", label: "Previous" },
  { value: "1d", label: "Day on day" },
  { value: "7d", label: "Week on week" },
  { value: "28d", label: "4 weeks" },
] as const;

/** Chooses the period to compare with: a preset or a custom start. */
export function AgainstPicker({ start }: { start: number }) {
  const { search, change } = useView();
  const usual = AGAINST_KEYS.find((key) => key === search.against);
  const own = search.against !== undefined && usual === undefined;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 text-sm">
      <span className="text-quiet">Compare with</span>
      <Choice
        label="Compare with"
        value={own ? null : (usual ?? "before")}
        options={OPTIONS}
        onChange={(value) => change({ against: value === "before" ? undefined : value })}
      />
      <label className="flex items-center gap-2 whitespace-nowrap text-quiet">
        or starting at
        <input
          type="datetime-local"
          value={toLocalInput(start)}
          title={`Times in ${zone()}`}
          onChange={(event) => {
            const from = fromLocalInput(event.target.value);
            if (from) change({ against: from }, true);
          }}
          className={cx(inputClass, own && "border-strong bg-raised font-medium")}
        />
      </label>
    </div>
  );
}
