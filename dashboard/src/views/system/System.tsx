import { useSystemQuery } from "@/api/queries";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { DeadLetters } from "./DeadLetters";
import { Sources } from "./Sources";
import { SystemCards } from "./SystemCards";

const REFRESH_MS = 5_000;

/** The system view. */
export function System() {
  const query = useSystemQuery(true, REFRESH_MS);
  return (
    <div className="flex flex-col gap-4">
      {query.data ? (
        <>
          <SystemCards system={query.data} />
          <Sources feeds={query.data.sources} />
        </>
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : (
        <SkeletonRows />
      )}
      <DeadLetters />
    </div>
  );
}
