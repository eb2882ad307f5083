import { Link } from "@tanstack/react-router";
import { keepFilters } from "@/shell/keepFilters";
import { cx } from "@/ui/cx";

const TABS = [
  { to: "/alerts", label: "Alerts" },
  { to: "/alerts/rules", label: "Rules" },
  { to: "/alerts/silences", label: "Silences" },
  { to: "/alerts/receivers", label: "Receivers" },
  { to: "/alerts/routes", label: "Routes" },
] as const;

/** The sections of the alerts view. */
export function AlertTabs() {
  return (
    <nav aria-label="Alerts" className="-mx-1 mb-4 flex flex-wrap gap-1">
      {TABS.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          search={keepFilters}
          activeOptions={{ exact: to === "/alerts", includeSearch: false }}
          className={cx(
            "rounded-md px-2 py-1.5 sm:px-3 text-sm text-quiet transition-colors duration-150 hover:bg-raised hover:text-text",
          )}
          activeProps={{ className: "bg-raised font-medium text-text" }}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
