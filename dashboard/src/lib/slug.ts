const MAX_LENGTH = 64;

/**
 * The name of a topic made from any text: "Acme Phone" → "acme-phone". At most 64 of a-z, 0-9, _, . and -. A text in
 * another script gets a name that is derived from its characters: "日本" → "topic-qmsg4k". Without letters it is empty.
 */
export function slugOf(text: string): string {
  const plain = text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replaceAll("ß", "ss")
    .toLowerCase();
  const slug = plain
    .replace(/[^a-z0-9_.-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, MAX_LENGTH);
  return slug === "" && /[\p{L}\p{N}]/u.test(plain) ? `topic-${hashOf(plain)}` : slug;
}

/** A short hash (FNV-1a, 32 bits) in letters and digits. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0).toString(36);
}
