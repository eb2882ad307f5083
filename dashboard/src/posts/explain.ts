import type { Analysis } from "@/api/types";

/** What one word did for each of the two labels, in [-1, 1]: the score that is lost without it. */
export interface Influence {
  sentiment: number;
  emotion: number;
}

/** A piece of a text; pieces between words did nothing by themselves. */
export interface ExplainedPiece {
  text: string;
  influence: Influence | null;
}

/** The whole text in pieces, with what each word did. The server counts characters as Unicode does. */
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
