import type { Alert } from "@/api/types";
import { parseSearch, type Search } from "@/lib/search";

/** The negative posts of the window that an alert judged. */
export function windowSearch({ scope, window_start, window_end }: Alert): Search {
  return parseSearch({
    from: window_start,
    to: window_end,
    sentiment: "negative",
    topic: scope.startsWith("topic:") ? scope.slice("topic:".length).split(",")[0] : undefined,
    source: scope.startsWith("source:") ? scope.slice("source:".length) : undefined,
  });
}
