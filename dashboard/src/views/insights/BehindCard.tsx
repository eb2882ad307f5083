import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { CitedPost, Insight } from "@/api/types";
import { count, percent, plural, signed } from "@/lib/format";
import { type Search, withSearch } from "@/lib/search";
import { AuthorName } from "@/posts/AuthorName";
import { PostText } from "@/posts/PostText";
import { usePostLink } from "@/posts/usePostLink";
import { Card } from "@/ui/Card";
import { SentimentGlyph, UnscoredMark } from "@/ui/marks";
import { ErrorState, Skeleton } from "@/ui/states";

interface BehindCardProps {
  query: { data: Insight | undefined; error: unknown; refetch: () => unknown };
  /** The filter and the range of the posts that the rows link to. */
  search: Search;
}

/** Words, sources, authors and repeated texts behind a change, or in a selected range of the chart. */
export function BehindCard({ query: { data, error, refetch }, search }: BehindCardProps) {
  return (
    <Card title="What explains the change" {...(data ? { note: noteOf(data) } : {})}>
      {error && !data ? (
        <ErrorState error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton className="h-48" />
      ) : (
        <div className="grid grid-cols-1 gap-x-8 gap-y-5 @min-[640px]:grid-cols-2">
          <Words insight={data} search={search} />
          <Sources insight={data} search={search} />
          <Authors insight={data} search={search} />
          <Texts insight={data} />
          <Typical insight={data} />
        </div>
      )}
    </Card>
  );
}

function noteOf({ current, counted_from }: Insight): string {
  if (counted_from === "rollups" && current.sampled >= current.total)
    return "compared with the period before";
  const of = `${current.total_capped ? "more than " : ""}${count(current.total)}`;
  return `words and authors from a sample of ${count(current.sampled)} of ${of} posts`;
}

const ROW = "-mx-2 flex min-h-8 items-center gap-3 rounded-md px-2 hover:bg-raised pointer-coarse:min-h-11";

function Part({ title, empty, children }: { title: string; empty: string | null; children: ReactNode }) {
  return (
    <section className="@container min-w-0 text-sm">
      <h3 className="mb-1 text-xs font-medium text-quiet">{title}</h3>
      {empty === null ? children : <p className="text-quiet">{empty}</p>}
    </section>
  );
}

interface PartProps {
  insight: Insight;
  search: Search;
}

function Words({ insight: { words }, search }: PartProps) {
  return (
    <Part
      title="Words, by share of posts"
      empty={words.length === 0 ? "No word became more frequent." : null}
    >
      <ul>
        {words.slice(0, 8).map(({ term, rate, previous_rate }) => (
          <li key={term}>
            <Link to="/posts" search={withSearch(search, { q: term })} className={ROW}>
              <bdi className="min-w-0 flex-1 truncate font-medium">{term}</bdi>{" "}
              <span className="tabular">{percent(rate)}</span>{" "}
              <span className="tabular w-24 text-right text-quiet">before {percent(previous_rate)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Sources({ insight, search }: PartProps) {
  const { sources } = insight;
  return (
    <Part title={`Sources, ${unitOf(insight)}`} empty={sources.length === 0 ? "No posts." : null}>
      <ul>
        {sources.slice(0, 6).map(({ source, posts, previous_posts, contribution }) => (
          <li key={source}>
            <Link to="/posts" search={withSearch(search, { source })} className={ROW}>
              <span className="min-w-0 flex-1 truncate font-medium">{source}</span>{" "}
              <Contribution value={contribution} insight={insight} />{" "}
              <span className="tabular w-32 text-right text-quiet">
                {count(posts)}, before {count(previous_posts)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Authors({ insight, search }: PartProps) {
  const { authors } = insight;
  return (
    <Part
      title={`Authors, ${unitOf(insight)}`}
      empty={authors.length === 0 ? "No author wrote several posts." : null}
    >
      <ul>
        {authors.slice(0, 6).map(({ author, source, posts, contribution }) => (
          <li key={`${source}:${author}`}>
            <Link to="/posts" search={withSearch(search, { author, source })} className={ROW}>
              <span className="min-w-0 flex-1 truncate">
                <span className="font-medium">
                  <AuthorName author={author} />
                </span>{" "}
                <span className="text-quiet">{source}</span>
              </span>{" "}
              <Contribution value={contribution} insight={insight} />{" "}
              <span className="tabular w-20 text-right text-quiet">{plural(posts, "post")}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Texts({ insight }: { insight: Insight }) {
  const link = usePostLink();
  return (
    <Part title="Repeated texts" empty={insight.texts.length === 0 ? "No text occurs several times." : null}>
      <ul>
        {insight.texts.map(({ content, posts, authors, post_ids: [id] }) => (
          <li
            key={id ?? content}
            className="relative -mx-2 flex gap-3 rounded-md px-2 py-1.5 hover:bg-raised"
          >
            <span className="tabular w-10 shrink-0 text-right font-medium">{count(posts)}×</span>
            <div className="min-w-0 flex-1">
              <PostText content={content} lines={2} />
              <span className="text-xs text-quiet">{plural(authors, "author")}</span>
              {id !== undefined && (
                <a
                  href={link.href(id)}
                  onClick={(event) => link.open(event, id)}
                  className="ml-2 text-xs text-quiet underline-offset-2 after:absolute after:inset-0 hover:underline"
                >
                  Open one of these posts
                </a>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Part>
  );
}

function Typical({ insight: { typical, posts } }: { insight: Insight }) {
  const link = usePostLink();
  const shown = typical.current.flatMap((id): [string, CitedPost][] => {
    const post = posts[id];
    return post ? [[id, post]] : [];
  });
  if (shown.length === 0) return null;
  return (
    <section className="min-w-0 text-sm @min-[640px]:col-span-2">
      <h3 className="mb-1 text-xs font-medium text-quiet">Typical posts</h3>
      <ul className="grid grid-cols-1 gap-x-8 gap-y-1 @min-[640px]:grid-cols-3">
        {shown.map(([id, post]) => (
          <li key={id} className="relative -mx-2 flex gap-2 rounded-md px-2 py-1.5 hover:bg-raised">
            <span className="pt-0.5">
              {post.sentiment ? <SentimentGlyph label={post.sentiment} /> : <UnscoredMark reason={null} />}
            </span>
            <div className="min-w-0 flex-1">
              <PostText content={post.content} lines={4} />
              <span className="block truncate text-xs text-quiet">
                {post.source}
                {post.author && (
                  <>
                    {" · "}
                    <AuthorName author={post.author} />
                  </>
                )}
              </span>
              <a
                href={link.href(id)}
                onClick={(event) => link.open(event, id)}
                className="ml-2 text-xs text-quiet underline-offset-2 after:absolute after:inset-0 hover:underline"
              >
                Open this post
              </a>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The unit of the contributions to a change. */
function unitOf({ changes: [first] }: Insight): string {
  return first && first.measure !== "posts"
    ? `contribution to the change of ${first.measure} posts`
    : "change of posts";
}

function Contribution({ value, insight: { changes } }: { value: number; insight: Insight }) {
  const points = changes[0] !== undefined && changes[0].measure !== "posts";
  const posts = Math.round(value);
  return (
    <span className="tabular whitespace-nowrap">
      {points ? `${signed(value)} pp` : `${posts > 0 ? "+" : ""}${count(posts).replace("-", "−")}`}
    </span>
  );
}
