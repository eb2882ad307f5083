import { useAuthorName } from "./useAuthorName";

/** The name of an author. For a Bluesky account the known handle replaces the DID. */
export function AuthorName({ author }: { author: string }) {
  const name = useAuthorName(author);
  return <bdi title={name === author ? undefined : author}>{name}</bdi>;
}
