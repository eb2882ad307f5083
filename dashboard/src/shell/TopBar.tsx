import { useLocation } from "@tanstack/react-router";
import { Keyboard } from "lucide-react";
import { ALERTS_RANGE } from "@/lib/search";
import { IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { ConnectionState } from "./ConnectionState";
import { FilterBar } from "./FilterBar";
import { FILTERED, NAV, RANGED } from "./nav";
import { RangePicker } from "./RangePicker";
import { openShortcuts } from "./Shortcuts";
import { ThemeSwitch } from "./ThemeSwitch";
import { UserMenu } from "./UserMenu";

/** The title, the time range, the filters and the state of the connection. */
export function TopBar() {
  const path = useLocation({ select: ({ pathname }) => pathname });
  const title = titleOf(path);
  return (
    <div className="mx-auto flex w-full max-w-[1600px] flex-wrap items-center gap-x-2 gap-y-2 px-4 py-2">
      <h1 className="mr-2 text-lg font-semibold">{title}</h1>
      <div
        className={cx(
          "flex min-w-0 flex-1 flex-wrap items-center gap-2",
          // Controls that do not fit beside the title wrap to a second line.
          RANGED.has(path) && "order-last basis-full xl:order-none xl:basis-0",
        )}
      >
        {RANGED.has(path) && <RangePicker {...(path === "/alerts" ? { fallback: ALERTS_RANGE } : {})} />}
        {FILTERED.has(path) && <FilterBar />}
      </div>
      <div className="ml-auto flex items-center">
        <ConnectionState />
        <ThemeSwitch />
        <span className="hidden md:block">
          <IconButton label="Keyboard shortcuts" onClick={openShortcuts}>
            <Keyboard size={16} />
          </IconButton>
        </span>
        <UserMenu />
      </div>
    </div>
  );
}

/** The title of the view at a path. Views under `/settings` share one entry of the navigation. */
function titleOf(path: string): string {
  if (path === "/account") return "Your account";
  if (path.startsWith("/settings")) return "Settings";
  return NAV.find(({ to }) => path === to || path.startsWith(`${to}/`))?.label ?? "Not found";
}
