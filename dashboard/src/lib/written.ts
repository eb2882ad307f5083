/** What the server adds to a stored object, and what only its answers have. */
interface Added {
  id: number;
  version: number;
  provisioned: boolean;
  created_at: string;
  updated_at: string;
}

/**
 * A stored object without what the server adds to it. Drafts begin with it, so that saving a form keeps the fields that
 * the form does not show.
 */
export function writtenOf<T extends Added>(stored: T): Omit<T, keyof Added> {
  const { id: _, version: _v, provisioned: _p, created_at: _c, updated_at: _u, ...written } = stored;
  return written;
}
