/** Why a text is no query: where, in characters from 1, and what was expected there. */
export interface Mistake {
  position: number | null;
  message: string;
}

/** Reads "at character 7: a word was expected". */
export function mistakeOf(text: string): Mistake {
  const [, position, message] = /^at character (\d+): (.*)$/s.exec(text) ?? [];
  return position && message ? { position: Number(position), message } : { position: null, message: text };
}

/** The query cut at the mistake: what is before, the character itself, and what follows. */
export function cutAt(query: string, position: number): [string, string, string] {
  const characters = Array.from(query);
  const at = Math.min(Math.max(position - 1, 0), characters.length);
  return [characters.slice(0, at).join(""), characters[at] ?? "", characters.slice(at + 1).join("")];
}
