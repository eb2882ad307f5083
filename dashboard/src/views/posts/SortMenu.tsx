import { Menu } from "@base-ui/react/menu";
import { ArrowDownUp, Check } from "lucide-react";
import { SORT_KEYS } from "@/lib/search";
import { useView } from "@/shell/useView";
import { buttonClass } from "@/ui/Button";
import { menuItemClass, popupClass } from "@/ui/popup";

const ORDERS = [
  { value: "newest", label: "Newest first" },
  { value: "oldest", label: "Oldest first" },
  { value: "confidence", label: "Highest confidence first" },
] as const;

/** Chooses the order of the list. */
export function SortMenu() {
  const { search, change } = useView();
  const chosen = ORDERS.find(({ value }) => value === (search.sort ?? "newest")) ?? ORDERS[0];
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className={buttonClass()} aria-label={`Order: ${chosen.label}`}>
        <ArrowDownUp size={14} aria-hidden="true" />
        {chosen.label}
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={6} className="z-50">
          <Menu.Popup className={popupClass}>
            <Menu.RadioGroup
              value={chosen.value}
              onValueChange={(value: string) => change({ sort: SORT_KEYS.find((key) => key === value) })}
            >
              {ORDERS.map(({ value, label }) => (
                <Menu.RadioItem key={value} value={value} className={menuItemClass} closeOnClick>
                  <span className="flex-1">{label}</span>
                  <Menu.RadioItemIndicator>
                    <Check size={14} />
                  </Menu.RadioItemIndicator>
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
