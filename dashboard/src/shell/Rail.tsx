import { Menu } from "@base-ui/react/menu";
import { Link, useLocation } from "@tanstack/react-router";
import { Ellipsis, type LucideIcon } from "lucide-react";
import { useAccess } from "@/api/access";
import { cx } from "@/ui/cx";
import { menuItemClass, popupClass } from "@/ui/popup";
import { FailedReceiversMark, FiringMark } from "./FiringMark";
import { keepFilters } from "./keepFilters";
import { Logo } from "./Logo";
import { ADMIN, MORE, NAV, TABS } from "./nav";

const ACTIVE = "bg-raised text-text font-medium";

/** The main navigation: a rail at the left edge. */
export function Rail() {
  const isOpen = useIsOpen();
  const isInSettings = useLocation({ select: ({ pathname }) => pathname.startsWith("/settings/") });
  return (
    <nav
      aria-label="Views"
      className="sticky top-0 hidden h-dvh w-20 shrink-0 flex-col gap-1 border-r border-border bg-card p-2 md:flex 2xl:w-44"
    >
      <Link to="/" className="mb-2 flex h-10 items-center justify-center gap-2 2xl:justify-start 2xl:px-3">
        <Logo />
        <span className="sr-only text-base font-semibold 2xl:not-sr-only">SentiStream</span>
      </Link>
      {NAV.filter(isOpen).map(({ to, label, Icon }) => (
        <Link
          key={to}
          to={to}
          search={keepFilters}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          className={cx(
            "flex flex-col items-center gap-1 rounded-md px-1 py-2 text-xs text-quiet transition-colors duration-150",
            "hover:bg-raised hover:text-text 2xl:flex-row 2xl:gap-3 2xl:px-3 2xl:text-sm",
            ADMIN.has(to) && isInSettings && ACTIVE,
          )}
          activeProps={{ className: ACTIVE }}
        >
          <NavIcon to={to} Icon={Icon} size={18} />
          {label}
        </Link>
      ))}
    </nav>
  );
}

/** The main navigation on phones: a bar at the bottom. */
export function TabBar() {
  const isOpen = useIsOpen();
  const tab = "flex min-w-0 flex-1 flex-col items-center gap-0.5 pt-2 pb-1.5 text-xs text-quiet";
  return (
    <nav
      aria-label="Views"
      className="fixed inset-x-0 bottom-0 z-30 flex border-t border-border bg-card pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {TABS.map(({ to, label, Icon }) => (
        <Link
          key={to}
          to={to}
          search={keepFilters}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          className={tab}
          activeProps={{ className: "text-text font-medium" }}
        >
          <NavIcon to={to} Icon={Icon} size={20} />
          {label}
        </Link>
      ))}
      <Menu.Root modal={false}>
        <Menu.Trigger className={tab}>
          <Ellipsis size={20} aria-hidden="true" />
          More
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner side="top" align="end" sideOffset={6} className="z-50">
            <Menu.Popup className={popupClass}>
              {MORE.filter(isOpen).map(({ to, label, Icon }) => (
                <Menu.Item key={to} className={menuItemClass} render={<Link to={to} search={keepFilters} />}>
                  <Icon size={16} aria-hidden="true" />
                  {label}
                </Menu.Item>
              ))}
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
    </nav>
  );
}

/** Whether the person may open a view. */
function useIsOpen(): (entry: { to: string }) => boolean {
  const { can } = useAccess();
  return ({ to }) => !ADMIN.has(to) || can("admin");
}

/** The icon of a view, with the number of firing alerts on the alerts icon. */
function NavIcon({ to, Icon, size }: { to: string; Icon: LucideIcon; size: number }) {
  return (
    <span className="relative">
      <Icon size={size} aria-hidden="true" />
      {to === "/alerts" && <FiringMark />}
      {to === "/alerts" && <FailedReceiversMark />}
    </span>
  );
}
