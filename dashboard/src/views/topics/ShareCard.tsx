import { Link } from "@tanstack/react-router";
import { Sparkline } from "@/charts/Sparkline";
import { compact, count, percent, plural, signed } from "@/lib/format";
import { allOf } from "@/lib/metrics";
import { rangeLabel } from "@/lib/rangeLabel";
import { parseSearch, type Search } from "@/lib/search";
import { Card } from "@/ui/Card";
import { SignificanceNote } from "@/ui/SignificanceNote";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { MoodBar } from "./MoodBar";
import { type ComparedShare, useShares } from "./useShares";

/** Share of voice: the topics' shares of posts and their change from the period before. */
export function ShareCard({ search }: { search: Search }) {
  const { shares, mentions, posts, error, retry } = useShares(search);
  return (
    <Card title="Share of voice" note={`${rangeLabel(search)}, compared with the period before`}>
      {error ? (
        <ErrorState error={error} retry={retry} />
      ) : !shares ? (
        <Skeleton className="h-44" />
      ) : mentions === 0 ? (
        <EmptyState title="No posts match a topic in this period">
          <p>This period has {plural(posts, "post")}. Choose a longer range or broaden a query.</p>
        </EmptyState>
      ) : (
        <ShareTable shares={shares} search={search} />
      )}
    </Card>
  );
}

function ShareTable({ shares, search }: { shares: readonly ComparedShare[]; search: Search }) {
  const most = Math.max(1, ...shares.map(({ share }) => share));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
    <section className="overflow-x-auto" tabIndex={0} aria-label="Share of voice as a table">
      <table className="tabular w-full sm:min-w-[44rem] text-right text-sm">
        <thead className="text-xs text-quiet">
          <tr>
            {HEADS.map(({ name, look }) => (
              <th key={name} scope="col" className={`py-1 pr-4 font-medium last:pr-0 ${look}`}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shares.map((share) => (
            <ShareRow key={share.topic} share={share} most={most} search={search} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

const HEADS = [
  { name: "Topic", look: "text-left" },
  { name: "Share", look: "sm:text-left sm:w-1/4" },
  { name: "Posts", look: "" },
  { name: "Change of share", look: "hidden whitespace-nowrap sm:table-cell" },
  { name: "Change of posts", look: "hidden whitespace-nowrap sm:table-cell" },
  { name: "Over time", look: "hidden sm:table-cell text-left w-28" },
  { name: "Mood", look: "hidden sm:table-cell text-left w-1/6" },
  { name: "Net", look: "" },
  { name: "Change of net", look: "hidden whitespace-nowrap sm:table-cell" },
] as const;

function ShareRow({ share, most, search }: { share: ComparedShare; most: number; search: Search }) {
  const { topic, total, percentages, net_sentiment, course, change, netChange, shareChange } = share;
  return (
    <tr className="border-t border-border">
      <th scope="row" className="max-w-32 truncate py-2 sm:max-w-48 pr-4 text-left font-normal" title={topic}>
        <Link
          to="/"
          search={parseSearch({ ...search, topic })}
          className="underline decoration-strong underline-offset-2 hover:decoration-current"
        >
          {topic}
        </Link>
      </th>
      <td className="py-2 pr-4">
        <span className="flex items-center gap-2">
          <span
            aria-hidden="true"
            className="hidden h-2 flex-1 overflow-hidden rounded-full bg-raised sm:block"
          >
            <span
              className="block h-full rounded-full bg-neutral transition-[width] duration-150"
              style={{ width: `${(share.share * 100) / most}%` }}
            />
          </span>
          <span className="w-full sm:w-14">{percent(share.share)}</span>
        </span>
      </td>
      <td className="py-2 pr-4" title={count(allOf(share))}>
        {compact(allOf(share))}
      </td>
      <td className="hidden py-2 pr-4 whitespace-nowrap text-quiet sm:table-cell">
        {shareChange === null ? "–" : `${signed(shareChange.points)} pp`}
        {shareChange && <SignificanceNote significant={shareChange.significant} className="block text-xs" />}
      </td>
      <td className="hidden py-2 pr-4 text-quiet sm:table-cell">
        {change === null ? "–" : change > 999 ? ">999%" : `${signed(change)}%`}
      </td>
      <td className="hidden py-2 pr-4 sm:table-cell">
        <Sparkline values={course} color="var(--color-quiet)" />
      </td>
      <td className="hidden py-2 pr-4 sm:table-cell">
        <MoodBar percentages={percentages} />
      </td>
      <td className="py-2 sm:pr-4">{total === 0 ? "–" : signed(net_sentiment)}</td>
      <td className="hidden whitespace-nowrap py-2 text-quiet sm:table-cell">
        {netChange === null ? "–" : `${signed(netChange)} pp`}
      </td>
    </tr>
  );
}
