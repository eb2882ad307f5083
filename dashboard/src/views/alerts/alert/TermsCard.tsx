import { Link } from "@tanstack/react-router";
import type { AlertDetail } from "@/api/types";
import { compact, plural } from "@/lib/format";
import { withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { evidence } from "../words";
import type { Term } from "./details";

/** Words that are more frequent than in the day before. */
export function TermsCard({ alert, terms }: { alert: AlertDetail; terms: readonly Term[] }) {
  const most = Math.max(1, ...terms.map(({ count }) => count));
  return (
    <Card title="Words that stand out" note="against the day before">
      {terms.length === 0 ? (
        <p className="text-sm text-quiet">No word is more frequent than it was the day before.</p>
      ) : (
        <ul className="flex flex-col text-sm">
          <li aria-hidden="true" className="flex gap-2 text-xs text-quiet">
            <span className="flex-1">Word</span>
            <span className="w-12 text-right">Posts</span>
            <span className="w-16 text-right">Before</span>
          </li>
          {terms.map(({ term, count, before }) => (
            <li key={term}>
              <Link
                to="/posts"
                search={withSearch(evidence(alert), { q: term })}
                title={`${plural(count, "post")} with it, ${plural(before, "post")} in the day before`}
                className="-mx-2 flex flex-col gap-1 rounded-md px-2 py-1 hover:bg-raised"
              >
                <span className="flex items-baseline gap-2">
                  <bdi className="min-w-0 flex-1 truncate text-left">{term}</bdi>{" "}
                  <span className="tabular w-12 text-right font-medium">{compact(count)}</span>{" "}
                  <span className="tabular w-16 text-right text-quiet">{compact(before)}</span>
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
