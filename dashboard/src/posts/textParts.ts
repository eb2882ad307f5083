/** A piece of a post's text. */
export type TextPart =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "tag"; text: string };

const PATTERN = /(https?:\/\/[^\s<>"']+)|((?<![\p{L}\p{N}_/])[@#][\p{L}\p{N}_][\p{L}\p{N}_.-]*)/gu;

/** Finds links, mentions and hashtags. Everything else is plain text. */
export function textParts(content: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const match of content.matchAll(PATTERN)) {
    const found = trimEnd(match[0]);
    if (match.index > end) parts.push({ kind: "text", text: content.slice(end, match.index) });
    parts.push(match[1] ? linkOf(found) : { kind: "tag", text: found });
    end = match.index + found.length;
  }
  if (end < content.length) parts.push({ kind: "text", text: content.slice(end) });
  return parts;
}

/** Removes punctuation at the end of a link or a name, because it belongs to the sentence. */
function trimEnd(text: string): string {
  return text.replace(/[.,;:!?)\]]+$/u, "");
}

function linkOf(text: string): TextPart {
  return URL.canParse(text) ? { kind: "link", text, href: text } : { kind: "text", text };
}

/** The URL if it is http or https, else `undefined`. */
export function webLink(url: string | null | undefined): string | undefined {
  return url && /^https?:\/\//i.test(url) && URL.canParse(url) ? url : undefined;
}
