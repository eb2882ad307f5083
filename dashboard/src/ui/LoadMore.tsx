import { Button } from "./Button";
import { FailureNote } from "./ConfirmButton";

interface LoadMoreProps {
  /** The list, which is read page by page. */
  query: {
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    isFetchNextPageError: boolean;
    error: unknown;
    fetchNextPage: () => Promise<unknown>;
  };
  /** The text of the button. */
  children: string;
}

/** Loads the next page of a list. Renders nothing on the last page. */
export function LoadMore({ query, children }: LoadMoreProps) {
  if (!query.hasNextPage) return null;
  return (
    <div className="mt-4 flex flex-col items-start gap-2">
      <Button onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
        {query.isFetchingNextPage ? "Loading" : children}
      </Button>
      {query.isFetchNextPageError && <FailureNote error={query.error} />}
    </div>
  );
}
