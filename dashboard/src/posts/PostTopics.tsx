import { Link } from "@tanstack/react-router";
import type { PostTopic } from "@/api/types";
import { score } from "@/lib/format";
import { type Search, withSearch } from "@/lib/search";
import { SentimentMark } from "@/ui/marks";

/** The tracked topics of a post, with the sentiment towards each topic and the words that caused it. */
export function PostTopics({ topics, content }: { topics: readonly PostTopic[]; content: string }) {
  if (topics.length === 0) return null;
  const characters = Array.from(content);
  return (
    <section>
      <h3 className="mb-1 text-xs font-medium text-quiet">Sentiment towards topics</h3>
      <ul className="flex flex-col gap-2 text-sm">
        {topics.map(({ topic, label, confidence, clause }) => (
          <li key={topic} className="flex flex-col gap-0.5">
            <div className="flex flex-wrap items-center gap-x-3">
              <Link
                to="/posts"
                search={(old: Search) => withSearch(old, { topic })}
                className="font-medium underline decoration-strong underline-offset-2 [overflow-wrap:anywhere] hover:decoration-current"
              >
                {topic}
              </Link>
              {label ? <SentimentMark label={label} /> : <span className="text-quiet">Not scored</span>}
              {confidence != null && (
                <span className="tabular text-quiet">confidence {score(confidence)}</span>
              )}
            </div>
            {clause && (
              <q dir="auto" className="text-quiet [overflow-wrap:anywhere]">
                {characters.slice(clause.start, clause.end).join("")}
              </q>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
