import { Menu } from "@base-ui/react/menu";
import { Check, Monitor, Moon, Sun } from "lucide-react";
import { buttonClass } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { menuItemClass, popupClass } from "@/ui/popup";
import { type Theme, useTheme } from "./theme";

const THEMES = [
  { value: "system", label: "System", Icon: Monitor },
  { value: "light", label: "Light", Icon: Sun },
  { value: "dark", label: "Dark", Icon: Moon },
] as const;

/** Chooses the theme: system, light or dark. */
export function ThemeSwitch() {
  const [theme, setTheme] = useTheme();
  const { Icon } = THEMES.find(({ value }) => value === theme) ?? THEMES[0];
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger aria-label="Theme" title="Theme" className={cx(buttonClass("plain"), "w-8 px-0")}>
        <Icon size={16} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={6} className="z-50">
          <Menu.Popup className={popupClass}>
            <Menu.RadioGroup value={theme} onValueChange={(value: Theme) => setTheme(value)}>
              {THEMES.map((option) => (
                <Menu.RadioItem
                  key={option.value}
                  value={option.value}
                  className={menuItemClass}
                  closeOnClick
                >
                  <option.Icon size={16} />
                  <span className="flex-1">{option.label}</span>
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
