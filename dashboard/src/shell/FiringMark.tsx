import { useAlertsQuery } from "@/api/queries";
import { count } from "@/lib/format";

/** The number of firing alerts. Hidden while there are none. */
export function FiringMark() {
  const total = useAlertsQuery({ state: "firing", limit: 100 }).data?.total ?? 0;
  if (total === 0) return null;
  return (
    <span className="tabular absolute -top-1.5 left-full -ml-1.5 min-w-4 rounded-full bg-inverse px-1 text-center text-xs leading-4 font-medium text-on-inverse">
      {count(total)}
      <span className="sr-only"> firing</span>
    </span>
  );
}
