import type { ReactNode } from "react";
import { useAccess } from "@/api/access";
import type { Scope } from "@/api/types";

/** Offers its children only to people who have the scope. The server checks it again. */
export function Allowed({ scope, children }: { scope: Scope; children: ReactNode }) {
  const { can } = useAccess();
  return can(scope) ? children : null;
}
