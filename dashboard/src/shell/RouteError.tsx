import type { ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "@/ui/Button";
import { EmptyState } from "@/ui/states";

/** A view that failed to load or render. The frame around it stays. */
export function RouteError({ error }: ErrorComponentProps) {
  return (
    <EmptyState title="This view failed">
      <p>
        {error instanceof Error ? error.message : "An unexpected error."} Perhaps the server has been updated.
      </p>
      <Button onClick={() => window.location.reload()}>Reload the page</Button>
    </EmptyState>
  );
}
