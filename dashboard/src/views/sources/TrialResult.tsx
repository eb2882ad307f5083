import type { Trial } from "@/api/types";
import { ago, exact, plural } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { useNow } from "@/lib/useNow";
import { AuthorName } from "@/posts/AuthorName";
import { PostText } from "@/posts/PostText";
import { SentimentGlyph } from "@/ui/marks";

/** The result of testing a source: a message and some of its posts. */
export function TrialResult({ trial: { ok, message, posts, rejected } }: { trial: Trial }) {
  const now = useNow(30_000);
  return (
    <section aria-label="Test result" className="rounded-md border border-border p-3 text-sm">
      <p role="status" className="[overflow-wrap:anywhere]">
        <span aria-hidden="true" className={ok ? "mr-1.5 text-positive" : "mr-1.5 text-negative"}>
          {ok ? "▲" : "▼"}
        </span>
        {sentence(message)}
      </p>
      {posts.length > 0 && (
        <ul className="mt-2 flex flex-col gap-2">
          {posts.map((post, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: posts of a test have no ids and do not move
            <li key={index} className="flex gap-2">
              <span className="pt-0.5">
                {post.sentiment ? <SentimentGlyph label={post.sentiment} /> : "–"}
                <span className="sr-only">{post.sentiment ?? "not analysed"}</span>
              </span>
              <div className="min-w-0 flex-1">
                <PostText content={post.content} lines={2} />
                <p className="truncate text-xs text-quiet">
                  {post.author && (
                    <>
                      <AuthorName author={post.author} />,{" "}
                    </>
                  )}
                  <span title={exact(post.created_at)}>{ago(post.created_at, now)}</span>
                </p>
              </div>
            </li>
          ))}
        </ul>
      )}
      {rejected.length > 0 && (
        <p className="mt-2 text-xs text-quiet">
          {plural(rejected.length, "item")} could not be read, for example: {rejected[0]}
        </p>
      )}
    </section>
  );
}
