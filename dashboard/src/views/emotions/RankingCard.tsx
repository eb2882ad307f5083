import { Link } from "@tanstack/react-router";
import { percentOf } from "@/lib/counts";
import { count, percent, signed } from "@/lib/format";
import { EMOTION_COLORS, EMOTIONS } from "@/lib/labels";
import { type Comparison, difference } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { Card } from "@/ui/Card";
import { Choice } from "@/ui/Choice";
import { cx } from "@/ui/cx";
import { EmotionMark } from "@/ui/marks";

/** How emotions over time are shown: charts with own scales, charts with one scale, or a table. */
export type Shown = "own" | "same" | "table";

const CHOICES = [
  { value: "own", label: "Separate scales" },
  { value: "same", label: "Same scale" },
  { value: "table", label: "Table" },
] as const;

interface RankingCardProps {
  data: Comparison;
  search: Search;
  shown: Shown;
  onShow: (shown: Shown) => void;
}

/** The emotions by share, with the change from the period before. */
export function RankingCard({ data: { now, before }, search, shown, onShow }: RankingCardProps) {
  const ranked = [...EMOTIONS].sort((a, b) => now.emotions[b] - now.emotions[a]);
  const comparable = before.posts > 0;
  const most = Math.max(1, now.emotions[ranked[0] ?? "neutral"]);
  return (
    <Card title="Ranking">
      <div className="flex h-full flex-col gap-3">
        <ol className="flex flex-1 flex-col justify-between text-sm">
          {ranked.map((emotion) => {
            const share = now.posts ? percentOf(now.emotions[emotion], now.posts) : null;
            const earlier = before.posts ? percentOf(before.emotions[emotion], before.posts) : null;
            const change = difference(share, earlier);
            return (
              <li key={emotion}>
                <Link
                  to="/posts"
                  search={withSearch(search, { emotion })}
                  title={`${count(now.emotions[emotion])} posts; ${percent(earlier)} in the period before`}
                  className={cx(
                    "-mx-2 grid items-center gap-2 rounded-md px-2 py-1 hover:bg-raised",
                    comparable ? "grid-cols-[5.5rem_1fr_3.25rem_4rem]" : "grid-cols-[5.5rem_1fr_3.25rem]",
                  )}
                >
                  <EmotionMark label={emotion} />
                  <span aria-hidden="true" className="h-2 overflow-hidden rounded-full bg-raised">
                    <span
                      className="block h-full rounded-full transition-[width] duration-150"
                      style={{
                        width: `${percentOf(now.emotions[emotion], most)}%`,
                        backgroundColor: EMOTION_COLORS[emotion],
                      }}
                    />
                  </span>
                  <span className="tabular text-right">{percent(share)}</span>
                  {comparable && (
                    <span className="tabular text-right text-xs text-quiet">
                      {change !== null && `${signed(change)} pp`}
                    </span>
                  )}
                </Link>
              </li>
            );
          })}
        </ol>
        <div className="self-center">
          <Choice label="Emotions over time" value={shown} options={CHOICES} onChange={onShow} />
        </div>
      </div>
    </Card>
  );
}
