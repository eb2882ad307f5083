import type { Emotion, Sentiment } from "@/api/types";

/** The sentiments in display order. */
export const SENTIMENTS: readonly Sentiment[] = ["positive", "neutral", "negative"];
export const EMOTIONS: readonly Emotion[] = [
  "anger",
  "disgust",
  "fear",
  "joy",
  "neutral",
  "sadness",
  "surprise",
];

/** The glyph that accompanies each sentiment's colour. */
export const GLYPHS: Record<Sentiment, string> = { positive: "▲", neutral: "●", negative: "▼" };

export const SENTIMENT_COLORS: Record<Sentiment, string> = {
  positive: "var(--color-positive)",
  neutral: "var(--color-neutral)",
  negative: "var(--color-negative)",
};

export const EMOTION_COLORS: Record<Emotion, string> = {
  anger: "var(--color-anger)",
  disgust: "var(--color-disgust)",
  fear: "var(--color-fear)",
  joy: "var(--color-joy)",
  neutral: "var(--color-neutral)",
  sadness: "var(--color-sadness)",
  surprise: "var(--color-surprise)",
};

export function isSentiment(value: unknown): value is Sentiment {
  return SENTIMENTS.some((label) => label === value);
}

export function isEmotion(value: unknown): value is Emotion {
  return EMOTIONS.some((label) => label === value);
}

/** "positive" → "Positive". A text that starts with a URL stays as it is. */
export function sentence(label: string): string {
  if (/^[a-z]+:\/\//.test(label)) return label;
  return label.charAt(0).toUpperCase() + label.slice(1);
}
