import { AuthorName } from "@/posts/AuthorName";
import { inScope } from "./words";

const AUTHOR = "author:";

/** A scope with its preposition, such as "in web". An author is shown by name. */
export function ScopeText({ scope }: { scope: string }) {
  if (!scope.startsWith(AUTHOR)) return <>{inScope(scope)}</>;
  return (
    <>
      by <AuthorName author={scope.slice(AUTHOR.length)} />
    </>
  );
}
