import { parseSearch, type Search } from "@/lib/search";

/**
 * The parameters for a link to another view. The link keeps the filters and the time range, but not the drawer, the
 * order and the comparison.
 */
export function keepFilters(old: Search): Search {
  return parseSearch({ ...old, post: undefined, sort: undefined, against: undefined });
}
