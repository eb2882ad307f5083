/** The language of a tag without its region: "pt" of "pt-BR". */
export function languageOf(tag: string): string {
  return (tag.split(/[-_]/)[0] ?? tag).toLowerCase();
}

/** The language's name in the viewer's locale: "Portuguese" for "pt-BR". Unknown tags are returned as they are. */
export function languageName(tag: string): string {
  const language = languageOf(tag);
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(language) ?? tag;
  } catch {
    return tag;
  }
}
