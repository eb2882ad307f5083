const MAX_LENGTH = 64;

/**
 * Makes the name of a topic or a source from any text: "Acme Phone" → "acme-phone". A name has at most 64 characters:
 * a-z, 0-9, _, . and -. A text in another script gets a hash of its characters: "日本" → "topic-qmsg4k". A text without
 * letters and digits gives an empty name.
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
