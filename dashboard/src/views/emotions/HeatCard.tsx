import { Link } from "@tanstack/react-router";
import { percent, plural, zone } from "@/lib/format";
import { EMOTION_COLORS, EMOTIONS } from "@/lib/labels";
import { spanOf } from "@/lib/metrics";
import { HOUR } from "@/lib/range";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { EmotionMark } from "@/ui/marks";
import { EmptyState, ErrorState, Skeleton } from "@/ui/states";
import { type HeatHour, largestShare } from "./heat";
import { useHeat } from "./useHeat";

/** The share of each emotion by hour of the day. */
export function HeatCard({ search }: { search: Search }) {
  const { hours, error, retry, title, note } = useHeat(search);
  return (
    <Card title={title} {...(note ? { note } : {})}>
      {error ? (
        <ErrorState error={error} retry={retry} />
      ) : !hours ? (
        <Skeleton className="h-56" />
      ) : hours.every(({ posts }) => posts === 0) ? (
        <EmptyState title="No posts in this period">
          <p>Choose a longer range or remove a filter.</p>
        </EmptyState>
      ) : (
        <HeatTable hours={hours} search={search} />
      )}
    </Card>
  );
}

function HeatTable({ hours, search }: { hours: readonly HeatHour[]; search: Search }) {
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard */}
      <section className="overflow-x-auto" tabIndex={0} aria-label="Emotions by hour of the day">
        <table className="w-full min-w-[44rem] table-fixed border-separate border-spacing-0.5 text-xs">
          <thead>
            <tr>
              <th scope="col" className="w-24 text-left font-normal text-quiet">
                Hour
              </th>
              {hours.map(({ hour }) => (
                <th key={hour} scope="col" className="tabular font-normal text-quiet">
                  {String(hour).padStart(2, "0")}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {EMOTIONS.map((emotion) => (
              <tr key={emotion}>
                <th scope="row" className="text-left text-sm font-normal">
                  <EmotionMark label={emotion} />
                </th>
                {hours.map((hour) => (
                  <HeatCell
                    key={hour.hour}
                    share={hour.shares[emotion]}
                    posts={
                      hour.start === null
                        ? undefined
                        : withSearch(search, {
                            ...spanOf({ time: hour.start, end: hour.start + HOUR }),
                            emotion,
                          })
                    }
                    most={largestShare(hours, emotion)}
                    color={EMOTION_COLORS[emotion]}
                    title={`${emotion} at ${hour.hour}:00: ${plural(hour.counts[emotion], "post")} of ${hour.posts}`}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className="mt-2 text-xs text-quiet">
        Hours in {zone()}. Share of each hour's posts in percent. Stronger colour: closer to the emotion's
        maximum.
      </p>
    </>
  );
}

interface HeatCellProps {
  share: number | null;
  most: number;
  color: string;
  title: string;
  /** The search for the posts of the cell. Unset if the hours of several days are summed. */
  posts: Search | undefined;
}

function HeatCell({ share, most, color, title, posts }: HeatCellProps) {
  // The third power makes small differences visible.
  const strength = share === null ? 0 : Math.round((share / most) ** 3 * 42);
  return (
    <td
      title={`${title}, ${percent(share)}`}
      className="tabular h-7 rounded-[3px] text-center text-text"
      style={{
        backgroundColor:
          share === null ? undefined : `color-mix(in srgb, ${color} ${strength}%, var(--color-card))`,
      }}
    >
      {share === null ? (
        <span className="text-quiet">·</span>
      ) : posts ? (
        <Link
          to="/posts"
          search={posts}
          className="block leading-7 hover:underline"
          aria-label={`${Math.round(share)} percent, ${title}`}
        >
          {Math.round(share)}
        </Link>
      ) : (
        Math.round(share)
      )}
    </td>
  );
}
