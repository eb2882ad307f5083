import { memo } from "react";
import { ago, exact } from "@/lib/format";
import type { LivePost } from "@/live/post";
import { cx } from "@/ui/cx";
import { EmotionMark, SentimentMark, UnscoredMark } from "@/ui/marks";
import { AuthorName } from "./AuthorName";
import { ConfidenceBar } from "./ConfidenceBar";
import { PostText } from "./PostText";
import type { PostLink } from "./usePostLink";

interface PostRowProps {
  post: LivePost;
  now: number;
  link: PostLink;
  /** Whether the post fades in. */
  fresh?: boolean;
  /** A short note after the author. */
  note?: string;
}

/** A post in a list. The whole row opens its details. */
export const PostRow = memo(function PostRow({ post, now, link, fresh = false, note }: PostRowProps) {
  return (
    <article
      className={cx(
        "relative flex flex-col gap-1 border-b border-border px-4 py-2.5 text-sm hover:bg-raised",
        fresh && "animate-appear",
      )}
    >
      <div className="flex items-center gap-3 text-xs text-quiet">
        {post.sentiment ? (
          <span className="font-medium text-text">
            <SentimentMark label={post.sentiment} />
          </span>
        ) : (
          <UnscoredMark reason={post.unscored} />
        )}
        {post.emotion && <EmotionMark label={post.emotion} />}
        <span className="min-w-0 flex-1 truncate" title={post.source}>
          {post.source}
        </span>
        <a
          href={link.href(post.id)}
          onClick={(event) => link.open(event, post.id)}
          title={exact(post.createdAt)}
          className="tabular shrink-0 after:absolute after:inset-0"
        >
          {ago(post.createdAt, now)}
          <span className="sr-only">, open this post</span>
        </a>
      </div>
      <PostText content={post.content} lines={4} />
      <div className="flex items-center justify-between gap-3 text-xs text-quiet">
        <span className="min-w-0 truncate">
          {post.author ? <AuthorName author={post.author} /> : "no author"}
          {note && <span className="text-text"> · {note}</span>}
        </span>
        <ConfidenceBar value={post.confidence} label={post.sentiment} />
      </div>
    </article>
  );
});
