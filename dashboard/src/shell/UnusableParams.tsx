import { useLocation } from "@tanstack/react-router";
import { readQuery, unusableParams } from "@/lib/search";
import { Button } from "@/ui/Button";
import { useView } from "./useView";

/** Reports parameters of the URL that cannot be used. */
export function UnusableParams() {
  const query = useLocation({ select: ({ searchStr }) => searchStr });
  const { change } = useView();
  const dropped = unusableParams(readQuery(query));
  if (dropped.length === 0) return null;
  const names = dropped.map(({ key, value }) => `${key} “${value}”`).join(", ");
  return (
    <div
      role="status"
      className="flex flex-wrap items-center justify-center gap-x-3 border-b border-border bg-raised px-4 py-1 text-xs text-quiet"
    >
      <span className="[overflow-wrap:anywhere]">This link has values that cannot be used: {names}.</span>
      <Button look="plain" className="h-6 px-2 text-xs" onClick={() => change({}, true)}>
        Remove
      </Button>
    </div>
  );
}
