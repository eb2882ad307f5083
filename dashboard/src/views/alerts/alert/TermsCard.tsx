import { Link } from "@tanstack/react-router";
import type { AlertDetail } from "@/api/types";
import { compact, decimal, plural } from "@/lib/format";
import { withSearch } from "@/lib/search";
import { isStopWord } from "@/lib/stopWords";
import { Card } from "@/ui/Card";
import { evidence } from "../words";
import type { Term } from "./details";

const DAY = 86_400_000;

/** Words that are more frequent in the window than on the previous day. */
export function TermsCard({ alert, terms }: { alert: AlertDetail; terms: readonly Term[] }) {
  const window = Date.parse(alert.window_end) - Date.parse(alert.window_start);
  const usual = (before: number) => (before * window) / DAY;
  // Terms with their usual frequency are left out.
  const risen = terms.filter(({ term, count, before }) => !isStopWord(term) && count > usual(before));
  const most = Math.max(1, ...risen.map(({ count }) => count));
  return (
    <Card title="Frequent words" note="compared with the day before">
      {risen.length === 0 ? (
        <p className="text-sm text-quiet">No word is more frequent than usual.</p>
      ) : (
        <ul className="flex flex-col text-sm">
          <li aria-hidden="true" className="flex gap-2 text-xs text-quiet">
            <span className="flex-1">Word</span>
            <span className="w-12 text-right">Posts</span>
            <span className="w-16 text-right">Usually</span>
          </li>
          {risen.map(({ term, count, before }) => (
            <li key={term}>
              <Link
                to="/posts"
                search={withSearch(evidence(alert), { q: term })}
                title={`${plural(count, "post")}, usually ${decimal(usual(before))} in a window of this length`}
                className="-mx-2 flex flex-col justify-center gap-1 rounded-md px-2 py-1 hover:bg-raised pointer-coarse:min-h-11"
              >
                <span className="flex items-baseline gap-2">
                  <bdi className="min-w-0 flex-1 truncate text-left">{term}</bdi>{" "}
                  <span className="tabular w-12 text-right font-medium">{compact(count)}</span>{" "}
                  <span className="tabular w-16 text-right text-quiet">{decimal(usual(before))}</span>
                </span>
                <span aria-hidden="true" className="h-1 overflow-hidden rounded-full bg-raised">
                  <span className="block h-full bg-neutral" style={{ width: `${(count * 100) / most}%` }} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
