import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { getPosts, type PostsQuery } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { percent } from "@/lib/format";
import type { TimeWindow } from "@/lib/range";
import { type Search, withSearch } from "@/lib/search";
import { risenWords } from "@/lib/words";
import { Card } from "@/ui/Card";
import { ErrorState, Skeleton } from "@/ui/states";
import { postsQuery } from "../posts/usePosts";

/** The number of posts that are read on each side. */
const SAMPLE = 500;
const SHOWN = 8;

/** Words that became more frequent in the chosen period, from samples of the newest posts of both periods. */
export function WordsCard({ window, search }: { window: TimeWindow; search: Search }) {
  const now = useTexts(window.start, window.end, search);
  const before = useTexts(window.before, window.beforeEnd, search);
  const error = now.error ?? before.error;
  const words = now.data && before.data && risenWords(now.data, before.data, SHOWN);
  return (
    <Card title="Words" note="share of posts, compared with the period before">
      {error ? (
        <ErrorState error={error} />
      ) : !words ? (
        <Skeleton className="h-24" />
      ) : words.length === 0 ? (
        <p className="text-sm text-quiet">No word became more frequent.</p>
      ) : (
        <ul className="grid grid-cols-1 gap-x-8 text-sm @min-[560px]:grid-cols-2">
          {words.map(({ word, now: is, before: was }) => (
            <li key={word}>
              <Link
                to="/posts"
                search={withSearch(search, { q: word })}
                className="-mx-2 flex min-h-8 items-center gap-3 rounded-md px-2 hover:bg-raised pointer-coarse:min-h-11"
              >
                <bdi className="min-w-0 flex-1 truncate font-medium">{word}</bdi>{" "}
                <span className="tabular">{percent(is)}</span>{" "}
                <span className="tabular w-24 text-right text-quiet">before {percent(was)}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function useTexts(start: number, end: number, search: Search) {
  const filter: PostsQuery = {
    ...postsQuery(search, end),
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    sort: undefined,
    limit: SAMPLE,
  };
  return useQuery({
    queryKey: keys.posts.sample(filter),
    queryFn: async ({ signal }) => (await getPosts(filter, signal)).posts.map(({ content }) => content),
    refetchInterval: false,
    refetchOnWindowFocus: false,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
}
