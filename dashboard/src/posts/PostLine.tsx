import { memo } from "react";
import { ago, exact } from "@/lib/format";
import type { LivePost } from "@/live/post";
import { cx } from "@/ui/cx";
import { EmotionMark, SentimentMark, UnscoredMark } from "@/ui/marks";
import { AuthorName } from "./AuthorName";
import { ConfidenceBar } from "./ConfidenceBar";
import { PostText } from "./PostText";
import type { PostLink } from "./usePostLink";

/** The columns of the header and the lines. */
const COLUMNS = "grid grid-cols-[5.5rem_9rem_minmax(0,1fr)_11rem_4.5rem] gap-x-4 px-4";

/** The estimated height of a line. Each line is measured once it is shown. */
export const LINE_HEIGHT = 53;

/** The header of a list of `PostLine`. Hidden from screen readers, because each line is labelled. */
export function PostLineHead() {
  return (
    <div aria-hidden="true" className={cx(COLUMNS, "border-b border-border py-1.5 text-xs text-quiet")}>
      <span>Time</span>
      <span>Mood</span>
      <span>Post</span>
      <span>Source and author</span>
      <span>Confidence</span>
    </div>
  );
}

interface PostLineProps {
  post: LivePost;
  now: number;
  link: PostLink;
}

/** A post as a line of a wide list. The whole line opens its details. */
export const PostLine = memo(function PostLine({ post, now, link }: PostLineProps) {
  return (
    <article className={cx(COLUMNS, "relative border-b border-border py-2 text-sm hover:bg-raised")}>
      <a
        href={link.href(post.id)}
        onClick={(event) => link.open(event, post.id)}
        title={exact(post.createdAt)}
        className="tabular text-xs leading-[1.125rem] text-quiet after:absolute after:inset-0"
      >
        {ago(post.createdAt, now)}
        <span className="sr-only">, open this post</span>
      </a>
      <div className="flex flex-col text-xs leading-[1.125rem]">
        {post.sentiment ? (
          <SentimentMark label={post.sentiment} />
        ) : (
          <span className="flex">
            <UnscoredMark reason={post.unscored} />
          </span>
        )}
        {post.emotion && (
          <span className="text-quiet">
            <EmotionMark label={post.emotion} />
          </span>
        )}
      </div>
      <div className="max-w-[90ch]">
        <PostText content={post.content} lines={4} />
      </div>
      <div className="flex min-w-0 flex-col text-xs leading-[1.125rem]">
        <span className="truncate" title={post.source}>
          {post.source}
        </span>
        <span className="truncate text-quiet">
          {post.author ? <AuthorName author={post.author} /> : "no author"}
        </span>
      </div>
      <div className="flex h-[1.125rem] items-center">
        <ConfidenceBar value={post.confidence} label={post.sentiment} />
      </div>
    </article>
  );
});
