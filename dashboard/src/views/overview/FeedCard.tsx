import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { getPosts } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { MINUTE } from "@/lib/range";
import type { Search } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { FeedList } from "@/live/FeedList";
import { fromPost } from "@/live/post";
import { PostRow } from "@/posts/PostRow";
import { usePostLink } from "@/posts/usePostLink";
import { keepFilters } from "@/shell/keepFilters";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { postsQuery } from "../posts/usePosts";

const CARD = "h-[36rem] overflow-hidden xl:sticky xl:top-[65px] xl:h-[calc(100dvh-81px)]";
/** The maximum number of posts shown for a past range. */
const TOP = 30;

/** The live feed, or the top posts of a range that has ended. */
export function FeedCard({ search, live }: { search: Search; live: boolean }) {
  if (live) {
    return (
      <Card
        title="Live feed"
        action={
          <Link to="/live" search={keepFilters} className={buttonClass("plain", "-mr-2")}>
            Open<span className="sr-only"> the live feed</span>
          </Link>
        }
        flush
        className={CARD}
      >
        <FeedList className="h-full" />
      </Card>
    );
  }
  return (
    <Card
      title="Top posts"
      note="highest confidence"
      action={
        <Link to="/posts" search={keepFilters} className={buttonClass("plain", "-mr-2")}>
          Show all<span className="sr-only"> posts of this period</span>
        </Link>
      }
      flush
      className={CARD}
    >
      <TopPosts search={search} />
    </Card>
  );
}

function TopPosts({ search }: { search: Search }) {
  const now = useNow(MINUTE);
  const link = usePostLink();
  const filter = { ...postsQuery({ ...search, sort: "confidence" }, now), limit: TOP };
  const query = useQuery({
    queryKey: keys.posts.sample(filter),
    queryFn: ({ signal }) => getPosts(filter, signal),
    refetchInterval: false,
  });
  if (query.error && !query.data)
    return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows />;
  const posts = query.data.posts.map(fromPost);
  if (posts.length === 0) return <EmptyState title="No posts in this period" />;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: scrollable regions must be reachable by keyboard
    <section className="h-full overflow-y-auto" tabIndex={0} aria-label="Top posts">
      {posts.map((post) => (
        <PostRow key={post.id} post={post} now={now} link={link} />
      ))}
    </section>
  );
}
