import { count, percent, plural } from "@/lib/format";
import { PostText } from "@/posts/PostText";
import { SentimentGlyph, UnscoredMark } from "@/ui/marks";
import { ErrorState } from "@/ui/states";
import { MoodBar } from "./MoodBar";
import type { PreviewState } from "./usePreview";

/** The matches of a query among the newest posts, with examples. */
export function Preview({ preview: { data, error } }: { preview: PreviewState }) {
  if (error) return <ErrorState error={error} />;
  if (!data) return null;
  const { scanned, matched, percentage, examples } = data;
  return (
    <section aria-label="Preview" className="rounded-md border border-border p-3 text-sm">
      <p role="status" className="mb-2">
        <span className="tabular font-semibold">{plural(matched.total, "post")}</span>{" "}
        <span className="tabular text-quiet">
          of the newest {count(scanned)} ({percent(percentage)})
        </span>
      </p>
      {matched.total > 0 && <MoodBar percentages={matched.percentages} />}
      <ul className="mt-2 flex flex-col gap-1.5">
        {examples.map((post) => (
          <li key={post.post_id} className="flex gap-2">
            <span className="pt-0.5">
              {post.sentiment ? (
                <>
                  <SentimentGlyph label={post.sentiment.label} />
                  <span className="sr-only">{post.sentiment.label}</span>
                </>
              ) : (
                <UnscoredMark reason={post.unscored} />
              )}
            </span>
            <div className="min-w-0 flex-1">
              <PostText content={post.content} lines={2} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
