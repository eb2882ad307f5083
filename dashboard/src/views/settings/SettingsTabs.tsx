import { Link } from "@tanstack/react-router";
import { keepFilters } from "@/shell/keepFilters";

const TABS = [
  { to: "/settings/people", label: "People" },
  { to: "/settings/tokens", label: "API tokens" },
  { to: "/settings/audit", label: "Audit log" },
  { to: "/settings/configuration", label: "Configuration" },
  { to: "/settings/maintenance", label: "Maintenance" },
] as const;

/** The sections for administrators. */
export function SettingsTabs() {
  return (
    <nav aria-label="Settings" className="-mx-1 mb-4 flex flex-wrap gap-1">
      {TABS.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          search={keepFilters}
          activeOptions={{ includeSearch: false }}
          className="inline-flex min-h-11 items-center rounded-md px-2 py-1.5 text-sm text-quiet transition-colors duration-150 hover:bg-raised hover:text-text sm:min-h-8 sm:px-3"
          activeProps={{ className: "bg-raised font-medium text-text" }}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
