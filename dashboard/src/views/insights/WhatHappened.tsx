import { Link } from "@tanstack/react-router";
import { withSearch } from "@/lib/search";
import { SentimentGlyph } from "@/ui/marks";
import type { Finding } from "./findings";

const link = "underline underline-offset-2 pointer-coarse:inline-block pointer-coarse:py-2.5";

/** The findings in sentences. Hidden without a significant change. */
export function WhatHappened({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <section aria-label="What happened" className="card px-4 py-3">
      <h2 className="mb-1 text-sm font-medium text-quiet">What happened</h2>
      <ul className="flex flex-col gap-1">
        {findings.map(({ text, words, posts, glyph }) => (
          <li key={text} className="flex items-baseline gap-2">
            <SentimentGlyph label={glyph} />
            <span className="min-w-0 [overflow-wrap:anywhere]">
              {text}{" "}
              {words.length > 0 && (
                <span className="text-sm">
                  <span className="text-quiet">Words: </span>
                  {words.map((word, index) => (
                    <span key={word}>
                      {index > 0 && ", "}
                      <Link to="/posts" search={withSearch(posts, { q: word })} className={link}>
                        <bdi>{word}</bdi>
                      </Link>
                    </span>
                  ))}{" "}
                </span>
              )}
              <Link to="/posts" search={posts} className={`text-sm whitespace-nowrap text-quiet ${link}`}>
                Show posts
              </Link>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
