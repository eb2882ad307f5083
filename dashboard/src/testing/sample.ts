import type { Emotion, ScoredPost, Sentiment } from "@/api/types";
import { SAMPLE_TEXTS, seeded } from "./sampleText";
import { makePost } from "./world";

const SOURCES = ["bluesky", "mastodon", "reddit", "rss", "hackernews", "support-mail"];
const FITTING: Record<Sentiment, readonly Emotion[]> = {
  positive: ["joy", "joy", "surprise", "neutral"],
  neutral: ["neutral", "neutral", "surprise", "fear"],
  negative: ["anger", "sadness", "disgust", "fear", "anger"],
};

/** `count` realistic posts over the `span` before `now`, with a period of negative sentiment. */
export function samplePosts(
  count: number,
  now: number,
  span: number,
  sources: readonly string[] = SOURCES,
): ScoredPost[] {
  const chance = seeded(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(chance() * list.length)] as T;
  return Array.from({ length: count }, (_, index) => {
    const age = chance() * span;
    const turned = age > span * 0.3 && age < span * 0.38;
    const roll = chance();
    const sentiment = roll < (turned ? 0.62 : 0.27) ? "negative" : roll < 0.68 ? "neutral" : "positive";
    return makePost({
      id: `sample-${index}`,
      at: Math.round(now - age),
      content: pick(SAMPLE_TEXTS),
      source: pick(sources),
      author: chance() < 0.9 ? `person_${Math.floor(chance() * 500)}` : null,
      sentiment,
      emotion: pick(FITTING[sentiment]),
      confidence: 0.42 + chance() * 0.57,
    });
  });
}
