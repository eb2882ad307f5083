import { Link } from "@tanstack/react-router";
import { tickText } from "@/charts/axis";
import { count, percent } from "@/lib/format";
import { leadingSource, type Side, shareChange, turningPoint, volumeChange } from "@/lib/happened";
import { sentence } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { SentimentGlyph } from "@/ui/marks";
import type { SourceShares } from "./useSourceShares";

/** A significant change in a sentence, with the search for the posts behind it. */
export interface Finding {
  text: string;
  posts: Search;
  glyph: "positive" | "neutral" | "negative";
}

interface FindingInput {
  data: { now: Side; before: Side; points: readonly Point[] } | undefined;
  /** The length of the period in milliseconds. */
  span: number;
  search: Search;
  sources?: SourceShares;
}

/** The significant changes of the chosen period against the one before. */
export function findingsOf({ data, span, search, sources }: FindingInput): Finding[] {
  if (!data) return [];
  const { now, before, points } = data;
  const subject = search.topic ? `${search.topic}: ` : "";
  const findings: Finding[] = [];
  const share = shareChange(now, before);
  if (share) {
    const { label, emotion } = share;
    const source = search.source ? null : leadingSource(label, { now, before }, sources?.shares ?? []);
    const since = turningPoint(points, label);
    const verb = share.now > share.before ? "rose" : "fell";
    const parts = [
      `${subject}${sentence(label)} posts ${verb} from ${percent(share.before)} to ${percent(share.now)}`,
      since === null ? "" : ` since ${tickText(since, span)}`,
      emotion ? `, mostly ${emotion}` : "",
      source ? `, mostly on ${source}` : "",
    ];
    // The posts of a sentiment that became rare explain nothing.
    const rose = share.now > share.before;
    const posts = withSearch(search, {
      ...(rose ? { sentiment: label } : {}),
      ...(rose && emotion ? { emotion } : {}),
      ...(source ? { source } : {}),
    });
    findings.push({ text: `${parts.join("")}.`, posts, glyph: label });
  }
  const volume = volumeChange(now, before);
  if (volume) {
    const verb = volume.now > volume.before ? "rose" : "fell";
    const text = `${subject}Posts ${verb} from ${count(Math.round(volume.before))} to ${count(volume.now)}.`;
    findings.push({ text, posts: withSearch(search, {}), glyph: "neutral" });
  }
  return findings;
}

/** What happened in the chosen period. Hidden without a significant change. */
export function WhatHappened({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <section aria-label="What happened" className="card px-4 py-3">
      <h2 className="mb-1 text-sm font-medium text-quiet">What happened</h2>
      <ul className="flex flex-col gap-1">
        {findings.map(({ text, posts, glyph }) => (
          <li key={text} className="flex items-baseline gap-2">
            <SentimentGlyph label={glyph} />
            <span>
              {text}{" "}
              <Link
                to="/posts"
                search={posts}
                className="text-sm whitespace-nowrap text-quiet underline underline-offset-2"
              >
                Show posts
              </Link>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
