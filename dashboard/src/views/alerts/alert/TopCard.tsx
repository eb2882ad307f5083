import { Link } from "@tanstack/react-router";
import type { AlertDetail } from "@/api/types";
import { compact, count as exactCount } from "@/lib/format";
import { withSearch } from "@/lib/search";
import { AuthorName } from "@/posts/AuthorName";
import { Card } from "@/ui/Card";
import { evidence } from "../words";
import type { Share } from "./details";

interface TopCardProps {
  title: string;
  of: "source" | "author";
  alert: AlertDetail;
  shares: readonly Share[];
}

/** The sources or authors with the most posts. */
export function TopCard({ title, of, alert, shares }: TopCardProps) {
  if (shares.length === 0) return null;
  const most = Math.max(1, ...shares.map(({ count }) => count));
  return (
    <Card title={title} note="with the most posts">
      <ul className="flex flex-col text-sm">
        {shares.slice(0, 6).map(({ name, count }) => (
          <li key={name}>
            <Link
              to="/posts"
              search={withSearch(evidence(alert), { [of]: name })}
              className="-mx-2 grid grid-cols-[minmax(0,1fr)_5rem_3rem] items-center gap-3 rounded-md px-2 py-1 hover:bg-raised pointer-coarse:min-h-11"
            >
              <span className="truncate text-left" title={name}>
                {of === "author" ? <AuthorName author={name} /> : <bdi>{name}</bdi>}
              </span>{" "}
              <span aria-hidden="true" className="h-1.5 overflow-hidden rounded-full bg-raised">
                <span className="block h-full bg-neutral" style={{ width: `${(count * 100) / most}%` }} />
              </span>
              <span className="tabular text-right" title={`${exactCount(count)} posts`}>
                {compact(count)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
