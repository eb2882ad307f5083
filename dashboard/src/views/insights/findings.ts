import type { Insight, Shift } from "@/api/types";
import { tickText } from "@/charts/axis";
import { count, percent } from "@/lib/format";
import { sentence } from "@/lib/labels";
import type { Point } from "@/lib/metrics";
import { type Search, withSearch } from "@/lib/search";
import { turningPoint } from "@/lib/turningPoint";

/** A significant change in a sentence, with the search for the posts behind it. */
export interface Finding {
  text: string;
  /** The most significant words. */
  words: readonly string[];
  posts: Search;
  glyph: "positive" | "neutral" | "negative";
}

interface FindingInput {
  insight: Insight | undefined;
  search: Search;
  /** The points of the later range, to find the time of the change. */
  points?: readonly Point[];
  /** The length of the range in milliseconds. */
  span?: number;
}

/** The significant changes in sentences. */
export function findingsOf({ insight, search, points = [], span = 0 }: FindingInput): Finding[] {
  const subject = search.topic ? `${search.topic}: ` : "";
  return (insight?.changes ?? []).map((change) => {
    const { measure, words } = change;
    // The posts of a sentiment that decreased do not explain the change.
    const rose = change.current > change.previous;
    const label = measure === "posts" ? undefined : measure;
    const since = label ? turningPoint(points, label) : null;
    const parts = [
      `${subject}${label ? shareText(change, label) : volumeText(change)}`,
      since === null ? "" : ` since ${tickText(since, span)}`,
      change.emotion ? `, mostly ${change.emotion}` : "",
      change.source && !search.source ? `, mostly on ${change.source}` : "",
    ];
    const posts = withSearch(search, {
      ...(rose && label ? { sentiment: label } : {}),
      ...(rose && change.emotion ? { emotion: change.emotion } : {}),
      ...(change.source ? { source: change.source } : {}),
    });
    return { text: `${parts.join("")}.`, words: rose ? words : [], posts, glyph: label ?? "neutral" };
  });
}

function shareText({ previous, current }: Shift, label: string): string {
  const verb = current > previous ? "rose" : "fell";
  return `${sentence(label)} posts ${verb} from ${percent(previous)} to ${percent(current)}`;
}

function volumeText({ previous, current }: Shift): string {
  if (previous === 0) return `${count(current)} posts, none before`;
  const verb = current > previous ? "rose" : "fell";
  return `Posts ${verb} from ${count(Math.round(previous))} to ${count(current)}`;
}

/** The sentence with its words, as plain text. */
export function plainText({ text, words }: Finding): string {
  return words.length > 0 ? `${text} Words: ${words.join(", ")}.` : text;
}
