import { useAuthorName } from "./useAuthorName";

/** The name of an author: for a Bluesky account its handle, once it is known, instead of its DID. */
export function AuthorName({ author }: { author: string }) {
  const name = useAuthorName(author);
  return <bdi title={name === author ? undefined : author}>{name}</bdi>;
}
