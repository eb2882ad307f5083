/** The query for posts about a brand: its name as a phrase, or its hashtag. */
export function brandQuery(name: string): string {
  const phrase = name.trim().replaceAll('"', "");
  const tag = hashtag(phrase);
  return tag === "" ? `"${phrase}"` : `"${phrase}" OR #${tag}`;
}

/** "Acme Phone" → "acmephone". */
export function hashtag(subject: string): string {
  return subject.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}
