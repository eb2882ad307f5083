import { Link } from "@tanstack/react-router";
import { EmptyState } from "@/ui/states";

export function NotFound() {
  return (
    <EmptyState title="Page not found">
      <p>The link may be mistyped or from another version.</p>
      <Link to="/" className="text-text underline underline-offset-2">
        Go to the overview
      </Link>
    </EmptyState>
  );
}
