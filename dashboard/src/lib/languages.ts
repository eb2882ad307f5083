/** The language of a tag without its region: "pt" of "pt-BR". */
export function languageOf(tag: string): string {
  return (tag.split(/[-_]/)[0] ?? tag).toLowerCase();
}

/** The language's name in the viewer's locale: "Portuguese" for "pt-BR". An unknown language keeps its code. */
export function languageName(tag: string): string {
  const language = languageOf(tag);
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(language) ?? tag;
  } catch {
    return tag;
  }
}

const NAMED = 3;

/** The first languages of a list by name: "German, French, Spanish and 2 more". */
export function languageNames(languages: readonly { lang: string }[]): string {
  const named = languages.filter(({ lang }) => lang !== "other").map(({ lang }) => languageName(lang));
  const shown = named.slice(0, NAMED).join(", ");
  if (!shown) return "other languages";
  const more = languages.length - Math.min(named.length, NAMED);
  return more > 0 ? `${shown} and ${more} more` : shown;
}
