import { isStopWord } from "./stopWords";

/** A word that became more frequent: the share of posts with it, in percent. */
export interface RisenWord {
  word: string;
  now: number;
  before: number;
}

const WORD = /[\p{L}\p{M}]/u;
const LINK_OR_NAME = /https?:\/\/\S+|(?<![\p{L}\p{N}_/])@[\p{L}\p{N}_.-]+/gu;
/** Rarer words may be chance. */
const LEAST_POSTS = 3;
const LEAST_Z = 2.6;

/** The distinct words of a text without links, names and stop words. Handles languages without spaces. */
export function wordsOf(
  text: string,
  segmenter = new Intl.Segmenter(undefined, { granularity: "word" }),
): Set<string> {
  const words = new Set<string>();
  for (const { segment, isWordLike } of segmenter.segment(text.replace(LINK_OR_NAME, " "))) {
    const word = segment.toLowerCase();
    const long = word.length > 2 || /[^\p{Script=Latin}]/u.test(word);
    if (isWordLike && long && WORD.test(word) && !isStopWord(word)) words.add(word);
  }
  return words;
}

/** The words that became more frequent, most certain first, by a two-proportion z-test on samples of posts. */
export function risenWords(now: readonly string[], before: readonly string[], most: number): RisenWord[] {
  if (now.length === 0 || before.length === 0) return [];
  const [is, was] = [frequencies(now), frequencies(before)];
  return [...is]
    .flatMap(([word, count]) => {
      const earlier = was.get(word) ?? 0;
      const [p, q] = [count / now.length, earlier / before.length];
      const pooled = (count + earlier) / (now.length + before.length);
      const error = Math.sqrt(pooled * (1 - pooled) * (1 / now.length + 1 / before.length));
      const z = error === 0 ? 0 : (p - q) / error;
      return count >= LEAST_POSTS && z >= LEAST_Z ? [{ word, now: p * 100, before: q * 100, z }] : [];
    })
    .sort((a, b) => b.z - a.z)
    .slice(0, most)
    .map(({ z: _, ...word }) => word);
}

function frequencies(texts: readonly string[]): Map<string, number> {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of wordsOf(text, segmenter)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}
