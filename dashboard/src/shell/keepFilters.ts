import { parseSearch, type Search } from "@/lib/search";

/** Filters go along to another view; an open drawer and an order do not. */
export function keepFilters(old: Search): Search {
  return parseSearch({ ...old, post: undefined, sort: undefined });
}
