import { Select } from "@base-ui/react/select";
import { Check, ChevronDown, X } from "lucide-react";
import type { ReactNode } from "react";
import { buttonClass, IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { menuItemClass, popupClass } from "@/ui/popup";

interface FilterChipProps<T extends string> {
  name: string;
  value: T | undefined;
  options: readonly { value: T; content: ReactNode }[];
  onChange: (value: T | undefined) => void;
}

/** A filter. While it is set, a button removes it. */
export function FilterChip<T extends string>({ name, value, options, onChange }: FilterChipProps<T>) {
  const chosen = options.find((option) => option.value === value);
  const set = value !== undefined;
  return (
    <div className={cx("flex shrink-0 items-stretch rounded-md", set && "bg-raised")}>
      <Select.Root<T | null>
        value={value ?? null}
        onValueChange={(next) => onChange(next ?? undefined)}
        modal={false}
      >
        <Select.Trigger
          aria-label={set ? `${name}: ${value}` : name}
          className={cx(
            buttonClass("outline"),
            "max-w-56 data-[popup-open]:border-strong",
            set && "rounded-r-none border-r-0",
          )}
        >
          <span className="truncate">{chosen ? chosen.content : (value ?? name)}</span>
          {!set && <ChevronDown size={14} aria-hidden="true" className="text-quiet" />}
        </Select.Trigger>
        <Select.Portal>
          <Select.Positioner sideOffset={6} align="start" alignItemWithTrigger={false} className="z-50">
            <Select.Popup
              className={cx(popupClass, "max-h-[min(24rem,var(--available-height))] overflow-y-auto")}
            >
              <Item value={null}>Any {name.toLowerCase()}</Item>
              {options.map((option) => (
                <Item key={option.value} value={option.value}>
                  {option.content}
                </Item>
              ))}
            </Select.Popup>
          </Select.Positioner>
        </Select.Portal>
      </Select.Root>
      {set && (
        <IconButton
          label={`Remove the ${name.toLowerCase()} filter`}
          className="w-7 rounded-l-none border border-l-0 border-border bg-card"
          onClick={() => onChange(undefined)}
        >
          <X size={14} />
        </IconButton>
      )}
    </div>
  );
}

function Item({ value, children }: { value: string | null; children: ReactNode }) {
  return (
    <Select.Item value={value} className={menuItemClass}>
      <Select.ItemText className="min-w-0 flex-1 truncate">{children}</Select.ItemText>
      <Select.ItemIndicator>
        <Check size={14} />
      </Select.ItemIndicator>
    </Select.Item>
  );
}
