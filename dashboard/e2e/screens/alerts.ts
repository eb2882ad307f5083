import { refundInsight } from "../../src/testing/insights";
import { samplePosts } from "../../src/testing/sample";

/** Names of sources; the first one has the maximum length. */
export const HARD = ["a-source-whose-name-is-as-long-as-a-name-may-be-64-characters-xx"].concat([
  "bluesky",
  "mastodon",
  "reddit",
  "rss",
  "hackernews",
  "lemmy",
  "support",
  "app-store",
]);

/** The evidence of an alert, with words and names that are hard to lay out. */
export function detailsAt(now: number) {
  return {
    counts: { negative: 31, positive: 6, neutral: 11, total: 48 },
    top_emotions: [{ emotion: "anger", count: 22, percentage: 45.8 }],
    top_terms: [
      { term: "checkout", score: 6.2, count: 17, baseline_count: 3 },
      { term: "رائع", score: 3.1, count: 5, baseline_count: 1 },
      { term: "supercalifragilisticexpialidocious".repeat(3), score: 2.2, count: 3, baseline_count: 0 },
    ],
    top_sources: [
      { source: "bluesky", count: 20 },
      { source: HARD[0], count: 11 },
    ],
    top_authors: [{ author: "ada", count: 4 }],
    evidence: samplePosts(12, now - 300_000, 300_000).map((post, index) => ({
      post_id: post.post_id,
      content: post.content,
      source: post.source,
      author: post.author,
      created_at: post.created_at,
      sentiment: "negative",
      emotion: "anger",
      confidence: 0.97 - index / 50,
      duplicates: index % 3,
    })),
  };
}

/** An insight about one topic, with a word and a name that are hard to lay out. */
export function incidentOf(params: URLSearchParams) {
  const insight = refundInsight();
  if ((params.get("topic") ?? "headphones") !== "headphones") return {};
  const [word] = insight.words ?? [];
  return {
    ...insight,
    words: word && [
      word,
      { ...word, term: "#acmefail", rate: 40.2, previous_rate: 0 },
      { ...word, term: "customer service", rate: 21.7, previous_rate: 2.1 },
      { ...word, term: "退款", rate: 8, previous_rate: 0.4 },
      { ...word, term: "supercalifragilisticexpialidocious".repeat(2), rate: 3, previous_rate: 0 },
    ],
    sources: insight.sources?.concat({
      ...{ source: HARD[0] ?? "", posts: 20, previous_posts: 31, contribution: -2.4, post_ids: [] },
    }),
  };
}
