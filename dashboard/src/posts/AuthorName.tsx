import { useAuthorName } from "./useAuthorName";

/** An author as people know them: the handle of a Bluesky account instead of its DID, once it is known. */
export function AuthorName({ author }: { author: string }) {
  const name = useAuthorName(author);
  return <bdi title={name === author ? undefined : author}>{name}</bdi>;
}
