import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { ago, exact } from "@/lib/format";

interface LogRowProps {
  what: ReactNode;
  who: ReactNode;
  /** The time of the event, RFC 3339. */
  at: string;
  now: number;
  /** The details. They are visible while the row is open. */
  children: ReactNode;
}

/** A row of the audit log: what, who and when. A click opens its details. */
export function LogRow({ what, who, at, now, children }: LogRowProps) {
  return (
    <li className="border-b border-border px-4 py-2.5 last:border-b-0">
      <details className="group">
        <summary className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 list-none [&::-webkit-details-marker]:hidden">
          <ChevronRight
            size={14}
            aria-hidden="true"
            className="mt-0.5 -mr-2 shrink-0 self-start text-quiet transition-transform duration-150 group-open:rotate-90 rtl:-scale-x-100"
          />
          <span className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">{what}</span>
          <span className="min-w-0 basis-48 text-quiet [overflow-wrap:anywhere]">{who}</span>
          <span className="tabular w-24 text-right text-xs text-quiet" title={exact(at)}>
            {ago(at, now)}
          </span>
        </summary>
        <div className="mt-2 pl-5.5 text-xs">{children}</div>
      </details>
    </li>
  );
}
