import { parseSearch, type Search } from "@/lib/search";

/** Filters go along to another view; an open drawer, an order and a period to compare with do not. */
export function keepFilters(old: Search): Search {
  return parseSearch({ ...old, post: undefined, sort: undefined, against: undefined });
}
