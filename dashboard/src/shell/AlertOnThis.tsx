import { Link } from "@tanstack/react-router";
import { BellPlus } from "lucide-react";
import type { Search } from "@/lib/search";
import { buttonClass } from "@/ui/Button";
import { Allowed } from "./Allowed";
import { keepFilters } from "./keepFilters";

/** A link to the form of a new alert rule, filled in with the filters of a chart. */
export function AlertOnThis({ search, of }: { search: Search; of?: string }) {
  return (
    <Allowed scope="edit">
      <Link
        to="/alerts/rules/$id"
        params={{ id: "new" }}
        search={keepFilters(search)}
        aria-label={of ? `Alert on ${of}` : "Alert on this"}
        title="Alert on this"
        className={buttonClass("plain", "w-8 px-0")}
      >
        <BellPlus size={16} aria-hidden="true" />
      </Link>
    </Allowed>
  );
}
