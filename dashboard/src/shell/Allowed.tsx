import type { ReactNode } from "react";
import { useAccess } from "@/api/access";
import type { Scope } from "@/api/types";

/** Renders its children only for people with the scope. The server checks the scope of each request. */
export function Allowed({ scope, children }: { scope: Scope; children: ReactNode }) {
  const { can } = useAccess();
  return can(scope) ? children : null;
}
