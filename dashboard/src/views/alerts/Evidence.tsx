import { useQuery } from "@tanstack/react-query";
import { getPosts } from "@/api/endpoints";
import type { Alert } from "@/api/types";
import { fromPost } from "@/live/post";
import { PostRow } from "@/posts/PostRow";
import { usePostLink } from "@/posts/usePostLink";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { postsQuery } from "../posts/usePosts";
import { evidence } from "./words";

/** How many posts speak for an alert here; a link leads to all of them. */
const SHOWN = 4;

/** Some of the posts that made an alert fire. */
export function Evidence({ alert, now }: { alert: Alert; now: number }) {
  const link = usePostLink();
  const query = useQuery({
    queryKey: ["posts", "evidence", alert.id],
    queryFn: ({ signal }) => getPosts({ ...postsQuery(evidence(alert), now), limit: SHOWN }, signal),
  });
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows rows={3} />;
  const posts = query.data.posts.map(fromPost);
  if (posts.length === 0) return <p className="text-quiet">Its posts are no longer stored.</p>;
  return (
    <ul aria-label="Evidence" className="self-start overflow-hidden rounded-md border border-border">
      {posts.map((post) => (
        <li key={post.id} className="-mb-px">
          <PostRow post={post} now={now} link={link} />
        </li>
      ))}
    </ul>
  );
}
