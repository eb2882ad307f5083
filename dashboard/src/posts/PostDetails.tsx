import { Link } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import { type ReactNode, useState } from "react";
import type { PostDetail } from "@/api/types";
import { exact, score } from "@/lib/format";
import { languageName, languageOf } from "@/lib/languages";
import { type Search, withSearch } from "@/lib/search";
import { Button, buttonClass } from "@/ui/Button";
import { EmotionMark, SentimentMark, UnscoredMark } from "@/ui/marks";
import { ErrorState, Skeleton } from "@/ui/states";
import { AuthorName } from "./AuthorName";
import { DeletePost } from "./DeletePost";
import { Explanation } from "./Explanation";
import { PostText } from "./PostText";
import { PostTopics } from "./PostTopics";
import { ScoreBars } from "./ScoreBars";
import { webLink } from "./textParts";
import { useExplanation } from "./useExplanation";

/** The details of a post. */
export function PostDetails({ post, onGone }: { post: PostDetail; onGone: () => void }) {
  const { sentiment: mood } = post;
  return (
    <div className="flex flex-col gap-5">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm">
        {mood ? (
          <>
            <span className="font-medium">
              <SentimentMark label={mood.label} />
            </span>
            <EmotionMark label={mood.emotion} />
            <span className="tabular text-quiet">confidence {score(mood.confidence)}</span>
          </>
        ) : (
          <>
            <UnscoredMark reason={post.unscored} />
            <span className="text-quiet">This post does not count as positive, neutral or negative.</span>
          </>
        )}
      </div>
      <div className="text-lg">
        <PostText content={post.content} />
      </div>
      <PostTopics topics={post.topics ?? []} content={post.content} />
      {mood && <Words text={post.content} />}
      {mood && post.scores && <ScoreBars scores={post.scores} />}
      <Facts post={post} />
      <div className="flex flex-wrap gap-2">
        <OriginalLink url={post.url} />
        <DeletePost id={post.post_id} onDeleted={onGone} />
      </div>
    </div>
  );
}

function Words({ text }: { text: string }) {
  const [asked, setAsked] = useState(false);
  const { data, error, refetch } = useExplanation(text, asked);
  if (!asked) {
    return (
      <div>
        <Button onClick={() => setAsked(true)}>Which words drove this result?</Button>
      </div>
    );
  }
  if (data) return <Explanation {...data} />;
  if (error) return <ErrorState error={error} retry={() => void refetch()} />;
  return <Skeleton className="h-16" />;
}

function Facts({ post }: { post: PostDetail }) {
  return (
    <dl className="grid grid-cols-[7rem_1fr] gap-x-3 gap-y-1 text-sm">
      <Fact name="Source">
        <FilterLink change={{ source: post.source }}>{post.source}</FilterLink>
      </Fact>
      <Fact name="Author">
        {post.author ? (
          <FilterLink change={{ author: post.author }}>
            <AuthorName author={post.author} />
          </FilterLink>
        ) : (
          "unknown"
        )}
      </Fact>
      <Fact name="Created">{exact(post.created_at)}</Fact>
      <Fact name="Stored">{exact(post.ingested_at)}</Fact>
      {post.sentiment && (
        <>
          <Fact name="Analysed">{exact(post.sentiment.analyzed_at)}</Fact>
          <Fact name="Model">
            {post.sentiment.model_name}
            {post.truncated && " (read only the start, because the text exceeds the model's limit)"}
          </Fact>
        </>
      )}
      {post.lang && (
        <Fact name="Language">
          <FilterLink change={{ lang: languageOf(post.lang) }}>{languageName(post.lang)}</FilterLink>
        </Fact>
      )}
      {post.reply_to && <Fact name="Reply to">{post.reply_to}</Fact>}
      <Fact name="Id">{post.post_id}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-quiet">{name}</dt>
      <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
    </>
  );
}

function FilterLink({ change, children }: { change: Partial<Search>; children: ReactNode }) {
  return (
    <Link
      to="/posts"
      search={(old: Search) => withSearch(old, change)}
      className="underline decoration-strong underline-offset-2 hover:decoration-current"
    >
      {children}
    </Link>
  );
}

function OriginalLink({ url }: { url: string | null | undefined }) {
  const href = webLink(url);
  if (!href) return null;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" className={buttonClass()}>
      <ExternalLink size={14} aria-hidden="true" />
      Open original
    </a>
  );
}
