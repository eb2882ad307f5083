import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useAccess } from "@/api/access";
import { buttonClass } from "@/ui/Button";
import { EmptyState } from "@/ui/states";

/** A view for administrators. Other people see an explanation instead. */
export function AdminOnly({ children }: { children: ReactNode }) {
  const { session, can } = useAccess();
  if (can("admin")) return children;
  return (
    <EmptyState title="Only administrators can open this page">
      <p>
        You are signed in as <bdi>{session?.name}</bdi>. Ask an administrator if you need more rights.
      </p>
      <Link to="/" className={buttonClass()}>
        Go to the overview
      </Link>
    </EmptyState>
  );
}
