import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { getPosts } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { Emotion, Period } from "@/api/types";
import { percentOf } from "@/lib/counts";
import { compact, percent } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { type Point, spanOf, type Totals } from "@/lib/metrics";
import { MINUTE } from "@/lib/range";
import { parseSearch, type Search, withSearch } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { fromPost } from "@/live/post";
import { PostText } from "@/posts/PostText";
import { AlertOnThis } from "@/shell/AlertOnThis";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { lazyPart } from "@/ui/lazy";
import { postsQuery } from "../posts/usePosts";

const EmotionChart = lazyPart(async () => (await import("@/charts/EmotionChart")).default);

/** The number of example posts per emotion and their minimum confidence. */
const EXAMPLES = 2;
const SURE = 0.6;

interface EmotionPanelProps {
  emotion: Emotion;
  points: readonly Point[];
  period: Period;
  totals: Totals;
  top: number;
  search: Search;
}

/** One emotion: its count, its trend and example posts. */
export function EmotionPanel({ emotion, points, period, totals, top, search }: EmotionPanelProps) {
  const navigate = useNavigate();
  const amount = totals.emotions[emotion];
  return (
    <Card
      title={sentence(emotion)}
      action={
        <span className="-mr-2 flex items-center">
          <Link
            to="/posts"
            search={withSearch(search, { emotion })}
            className={buttonClass("plain", "tabular")}
          >
            {compact(amount)} {amount === 1 ? "post" : "posts"} ·{" "}
            {percent(totals.posts ? percentOf(amount, totals.posts) : null)}
            <span className="sr-only"> with {emotion}</span>
          </Link>
          <AlertOnThis search={withSearch(search, { emotion })} of={emotion} />
        </span>
      }
    >
      <div className="h-28">
        <EmotionChart
          emotion={emotion}
          points={points}
          period={period}
          top={top}
          onPick={(point) =>
            void navigate({ to: "/posts", search: withSearch(search, { ...spanOf(point), emotion }) })
          }
        />
      </div>
      <Examples emotion={emotion} search={search} />
    </Card>
  );
}

function Examples({ emotion, search }: { emotion: Emotion; search: Search }) {
  const now = useNow(MINUTE);
  const filter = postsQuery({ ...search, emotion, min: SURE }, now);
  const query = useQuery({
    queryKey: keys.posts.sample(filter),
    queryFn: ({ signal }) => getPosts({ ...filter, limit: EXAMPLES }, signal),
  });
  if (query.error && !query.data) {
    return <p className="mt-3 text-sm text-quiet">The examples could not be loaded.</p>;
  }
  const posts = query.data?.posts.map(fromPost) ?? [];
  return (
    <ul className="mt-3 flex flex-col gap-2 text-sm" aria-label={`Examples of ${emotion}`}>
      {posts.map((post) => (
        <li key={post.id} className="relative rounded-md border border-border px-3 py-2 hover:bg-raised">
          <Link
            to="."
            search={(old: Search) => parseSearch({ ...old, post: post.id })}
            resetScroll={false}
            aria-label={`Details of an example of ${emotion}`}
            className="after:absolute after:inset-0"
          />
          <PostText content={post.content} lines={2} />
        </li>
      ))}
    </ul>
  );
}
