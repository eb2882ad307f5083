/** The language of a tag without its region: "pt" of "pt-BR". */
export function languageOf(tag: string): string {
  return (tag.split(/[-_]/)[0] ?? tag).toLowerCase();
}

/** A language in the viewer's own words: "Portuguese" of "pt-BR"; the tag where nobody knows it. */
export function languageName(tag: string): string {
  const language = languageOf(tag);
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(language) ?? tag;
  } catch {
    return tag;
  }
}
