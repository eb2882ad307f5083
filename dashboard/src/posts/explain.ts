import type { Analysis } from "@/api/types";

/** A piece of a text and how much it spoke for the result; pieces between words have none. */
export interface WordInfluence {
  text: string;
  /** In [-1, 1]: the score that the result loses without this word. */
  influence: number | null;
}

/** Longer texts would cost too much: each word is one more text to classify. */
export const MOST_WORDS = 60;

/** The text in pieces: words and what stands between them. */
export function pieces(text: string): string[] {
  return text.split(/(\s+)/u).filter((piece) => piece !== "");
}

/** How many words a text has. */
export function wordCount(text: string): number {
  return pieces(text).filter(isWord).length;
}

/** The text itself, then the text without each of its words. */
export function variants(text: string): string[] {
  const all = pieces(text);
  const without = all.flatMap((piece, index) => {
    if (!isWord(piece)) return [];
    const rest = all.filter((_, other) => other !== index).join("");
    // A text of one word has no rest to compare with.
    return rest.trim() ? [rest] : [];
  });
  return [text, ...without];
}

/** What each word did, from the analyses of the variants in their order. */
export function influences(text: string, analyses: readonly Analysis[]): WordInfluence[] {
  const [whole, ...without] = analyses;
  if (!whole) return [];
  const rest = without.values();
  return pieces(text).map((piece) => {
    const analysis = isWord(piece) ? rest.next().value : undefined;
    if (!analysis) return { text: piece, influence: null };
    return { text: piece, influence: whole.confidence - analysis.scores.sentiment[whole.label] };
  });
}

function isWord(piece: string): boolean {
  return piece.trim() !== "";
}
