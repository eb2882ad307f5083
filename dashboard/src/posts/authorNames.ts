import { getAuthorNames } from "@/api/endpoints";

/** How long authors are collected for one request, in milliseconds. */
const COLLECT = 50;
/** The maximum number of authors per request. */
const MOST = 100;

interface Batch {
  authors: Set<string>;
  names: Promise<Record<string, string>>;
}

let open: Batch | undefined;

/** Whether the author is a DID, for which the server may know a handle. */
export function isNamed(author: string): boolean {
  return author.startsWith("did:");
}

/** The name of an author, or null. Authors that are requested at the same time share one request. */
export async function nameOf(author: string): Promise<string | null> {
  if (!open || open.authors.size >= MOST) open = begin();
  open.authors.add(author);
  return (await open.names)[author] ?? null;
}

function begin(): Batch {
  const authors = new Set<string>();
  const names = new Promise((resolve) => setTimeout(resolve, COLLECT)).then(() => {
    if (open?.authors === authors) open = undefined;
    return getAuthorNames([...authors]);
  });
  return { authors, names };
}
