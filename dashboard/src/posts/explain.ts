import type { Analysis } from "@/api/types";

/** The influence of a word on each label, in [-1, 1]: the decrease of the score without the word. */
export interface Influence {
  sentiment: number;
  emotion: number;
}

/** A piece of a text. Pieces between words have no influence. */
export interface ExplainedPiece {
  text: string;
  influence: Influence | null;
}

/** The text in pieces with the influence of each word. The positions from the server count Unicode characters. */
export function explainedPieces(text: string, { explanation }: Analysis): ExplainedPiece[] {
  const characters = Array.from(text);
  const pieces: ExplainedPiece[] = [];
  const add = (start: number, end: number, influence: Influence | null) => {
    if (end > start) pieces.push({ text: characters.slice(start, end).join(""), influence });
  };
  let at = 0;
  for (const { start, end, sentiment, emotion } of explanation?.words ?? []) {
    add(at, start, null);
    add(Math.max(at, start), end, { sentiment, emotion });
    at = Math.max(at, end);
  }
  add(at, characters.length, null);
  return pieces;
}
