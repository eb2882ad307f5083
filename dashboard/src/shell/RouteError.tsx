import type { ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/states";

/** A view that failed to render. The frame around it remains. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  return (
    <div role="alert">
      <EmptyState title="This view failed">
        <p>{error instanceof Error ? error.message : "An unexpected error occurred."}</p>
        <div className="flex flex-wrap justify-center gap-2">
          <Button onClick={reset}>Try again</Button>
          <Button onClick={() => window.location.reload()}>Reload the page</Button>
        </div>
      </EmptyState>
    </div>
  );
}
