import { Link } from "@tanstack/react-router";
import type { AlertDetail } from "@/api/types";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { PostRow } from "@/posts/PostRow";
import { usePostLink } from "@/posts/usePostLink";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState } from "@/ui/states";
import { evidence } from "../words";
import type { CitedPost } from "./details";

/** Some posts that speak for an alert, the surest first; those that say almost the same are told once. */
export function CitedPosts({ alert, posts }: { alert: AlertDetail; posts: readonly CitedPost[] }) {
  const now = useNow(10_000);
  const link = usePostLink();
  return (
    <Card
      title="What they say"
      action={
        <Link to="/posts" search={evidence(alert)} className={buttonClass("plain", "-mr-2")}>
          All its posts
        </Link>
      }
    >
      {posts.length === 0 ? (
        <EmptyState title="No posts are kept with it">
          <p>
            {alert.labels?.kind === "absence"
              ? "It fires because there are none."
              : "They were deleted since, or it is from before posts were kept."}
          </p>
        </EmptyState>
      ) : (
        <ul
          aria-label="Evidence"
          className="-mx-4 -mb-4 overflow-hidden rounded-b-card border-t border-border [&>li:last-child_article]:border-b-0"
        >
          {posts.map(({ post, duplicates }) => (
            <li key={post.id}>
              <PostRow
                post={post}
                now={now}
                link={link}
                {...(duplicates > 0
                  ? { note: `and ${plural(duplicates, "more like it", "more like it")}` }
                  : {})}
              />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
