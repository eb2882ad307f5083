import type { Insight } from "@/api/types";
import { iso } from "./answer";

type Side = Insight["current"];

/** An insight without changes, unless `part` has some. */
export function makeInsight(params: URLSearchParams, part: Partial<Insight> = {}): Insight {
  const time = (name: string) => Date.parse(params.get(name) ?? "") || Date.now();
  const side = (start: number, end: number): Side => ({
    start_date: iso(start),
    end_date: iso(end),
    total: 100,
    total_capped: false,
    sampled: 100,
    measures: {
      total: 100,
      distribution: { positive: 40, neutral: 30, negative: 30 },
      percentages: { positive: 40, neutral: 30, negative: 30 },
      net_sentiment: 10,
      average_confidence: 0.9,
    },
  });
  const [start, end, before] = [time("start_date"), time("end_date"), time("against_start")];
  return {
    current: side(start, end),
    previous: side(before, before + (end - start)),
    counted_from: "rollups",
    significant: (part.changes ?? []).length > 0,
    changes: [],
    words: [],
    sources: [],
    authors: [],
    texts: [],
    typical: { current: [], previous: [] },
    posts: {},
    ...part,
  };
}

/** An insight with a change: the sentiment became negative because of refunds. */
export function refundInsight(): Partial<Insight> {
  const cited = {
    source: "twitter",
    author: "ada",
    content: "No refund after three weeks",
    url: null,
    created_at: iso(Date.now()),
    sentiment: "negative",
    emotion: "anger",
    confidence: 0.97,
  } as const;
  const post_ids = ["t-1"];
  return {
    changes: [
      {
        measure: "negative",
        previous: 34.2,
        current: 97.1,
        emotion: "anger",
        source: "twitter",
        words: ["refund", "#acmefail"],
      },
    ],
    words: [
      {
        ...{ term: "refund", kind: "word", rate: 61.3, previous_rate: 1.5, posts: 125, previous_posts: 1 },
        ...{ score: 9.2, post_ids },
      },
    ],
    sources: [{ source: "twitter", posts: 180, previous_posts: 100, contribution: 58.1, post_ids }],
    authors: [{ author: "ada", source: "twitter", posts: 9, previous_posts: 0, contribution: 4.3, post_ids }],
    texts: [
      { content: "No refund after three weeks", posts: 31, authors: 29, sources: ["twitter"], post_ids },
    ],
    typical: { current: ["t-1"], previous: [] },
    posts: { "t-1": cited },
  };
}
