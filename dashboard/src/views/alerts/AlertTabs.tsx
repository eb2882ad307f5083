import { Link } from "@tanstack/react-router";
import { useFailedReceivers } from "@/api/queries";
import { plural } from "@/lib/format";
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
  const failed = useFailedReceivers().size;
  return (
    <nav aria-label="Alerts" className="-mx-1 mb-4 flex flex-wrap gap-1">
      {TABS.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          search={keepFilters}
          activeOptions={{ exact: to === "/alerts", includeSearch: false }}
          className={cx(
            "inline-flex min-h-11 items-center gap-1.5 rounded-md px-2 py-1.5 sm:min-h-8 sm:px-3 text-sm text-quiet transition-colors duration-150 hover:bg-raised hover:text-text",
          )}
          activeProps={{ className: "bg-raised font-medium text-text" }}
        >
          {label}
          {to === "/alerts/receivers" && failed > 0 && <FailedMark count={failed} />}
        </Link>
      ))}
    </nav>
  );
}

function FailedMark({ count }: { count: number }) {
  return (
    <span title={`${plural(count, "receiver")} failed`}>
      <span aria-hidden="true" className="text-negative">
        ▼
      </span>
      <span className="sr-only"> {plural(count, "receiver")} failed</span>
    </span>
  );
}
