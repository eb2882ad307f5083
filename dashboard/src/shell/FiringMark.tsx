import { useAlertsQuery, useFailedReceivers } from "@/api/queries";
import { count, plural } from "@/lib/format";

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

/** The number of receivers whose last completed delivery failed. Hidden while there are none. */
export function FailedReceiversMark() {
  const failed = useFailedReceivers().size;
  if (failed === 0) return null;
  const text = `${plural(failed, "receiver")} failed`;
  return (
    <span className="absolute -bottom-1 left-full -ml-1.5 text-xs leading-3 text-negative" title={text}>
      <span aria-hidden="true">▼</span>
      <span className="sr-only"> {text}</span>
    </span>
  );
}
