import { parseSearch, type Search } from "@/lib/search";

/** The search for a link to another view: keeps filters, drops the drawer, the order and the comparison. */
export function keepFilters(old: Search): Search {
  return parseSearch({ ...old, post: undefined, sort: undefined, against: undefined });
}
