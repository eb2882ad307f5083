/** A syntax error of a query. The position counts characters from 1. */
export interface Mistake {
  position: number | null;
  message: string;
}

/** Parses an error of the server, for example "at character 7: a word was expected". */
export function mistakeOf(text: string): Mistake {
  const [, position, message] = /^at character (\d+): (.*)$/s.exec(text) ?? [];
  return position && message ? { position: Number(position), message } : { position: null, message: text };
}

/** The query split at the error: the text before, the character and the text after. */
export function cutAt(query: string, position: number): [string, string, string] {
  const characters = Array.from(query);
  const at = Math.min(Math.max(position - 1, 0), characters.length);
  return [characters.slice(0, at).join(""), characters[at] ?? "", characters.slice(at + 1).join("")];
}
