import { count, percent, signed } from "./format";
import { EMOTIONS, SENTIMENTS, sentence } from "./labels";
import { type Comparison, difference, relativeChange } from "./metrics";
import { rangeLabel } from "./rangeLabel";
import type { Search } from "./search";

interface ReportInput {
  data: Comparison;
  search: Search;
  /** The address of the view. */
  url: string;
  /** The findings about the period, in sentences. */
  findings?: readonly string[];
}

/** The figures of a period as Markdown, for a message or a document. */
export function reportOf({ data: { now, before }, search, url, findings = [] }: ReportInput): string {
  const filters = (["topic", "source", "sentiment", "emotion", "author", "q"] as const).flatMap((key) =>
    search[key] ? [`${key === "q" ? "search" : key}: ${search[key]}`] : [],
  );
  const posts = relativeChange(now.posts, before.posts);
  const rows = [
    ["Posts", count(now.posts), posts === null ? "–" : `${signed(posts)}%`],
    ...SENTIMENTS.map((label) => [
      sentence(label),
      percent(now.shares[label]),
      points(difference(now.shares[label], before.shares[label])),
    ]),
    ["Net sentiment", now.net === null ? "–" : signed(now.net), points(difference(now.net, before.net))],
  ];
  const emotions = [...EMOTIONS]
    .sort((a, b) => now.emotions[b] - now.emotions[a])
    .slice(0, 3)
    .map((emotion) => `${emotion} ${percent(now.posts ? (now.emotions[emotion] * 100) / now.posts : null)}`);
  return [
    `## Sentiment, ${rangeLabel(search)}`,
    ...(filters.length > 0 ? [`Filter: ${filters.join(", ")}`] : []),
    ...findings,
    ["| | Value | Change |", "|---|---:|---:|", ...rows.map((row) => `| ${row.join(" | ")} |`)].join("\n"),
    `Top emotions: ${emotions.join(", ")}`,
    `[Open in SentiStream](${url})`,
  ].join("\n\n");
}

function points(value: number | null): string {
  return value === null ? "–" : `${signed(value)} pp`;
}
