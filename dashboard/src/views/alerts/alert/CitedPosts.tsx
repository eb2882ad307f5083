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

/** Typical posts of an alert, highest confidence first. Near-duplicates are grouped. */
export function CitedPosts({ alert, posts }: { alert: AlertDetail; posts: readonly CitedPost[] }) {
  const now = useNow(10_000);
  const link = usePostLink();
  return (
    <Card
      title="Typical posts"
      action={
        <Link to="/posts" search={evidence(alert)} className={buttonClass("plain", "-mr-2")}>
          Show all
        </Link>
      }
    >
      {posts.length === 0 ? (
        <EmptyState title="No posts stored with this alert">
          <p>
            {alert.labels?.kind === "absence"
              ? "The alert fired because there were no posts."
              : "The posts may have been deleted since the alert fired."}
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
                {...(duplicates > 0 ? { note: `${plural(duplicates, "similar post")}` } : {})}
              />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
