/** The fields that the server adds to a stored object in its answers. */
interface Added {
  id: number;
  version: number;
  provisioned: boolean;
  created_at: string;
  updated_at: string;
}

/**
 * A stored object without the fields that the server adds. Drafts start with this object, so that saving keeps the
 * fields that a form does not show.
 */
export function writtenOf<T extends Added>(stored: T): Omit<T, keyof Added> {
  const { id: _, version: _v, provisioned: _p, created_at: _c, updated_at: _u, ...written } = stored;
  return written;
}
