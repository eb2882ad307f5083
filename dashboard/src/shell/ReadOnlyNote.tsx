import { useAccess } from "@/api/access";
import type { Scope } from "@/api/types";
import { WHO_MAY } from "@/lib/roles";

interface ReadOnlyNoteProps {
  scope: Scope;
  /** What cannot be changed: "topics". */
  what: string;
}

/** Says why a view offers no changes. Nothing for those who may change it. */
export function ReadOnlyNote({ scope, what }: ReadOnlyNoteProps) {
  const { can } = useAccess();
  if (can(scope)) return null;
  return (
    <p className="mb-3 text-sm text-quiet">
      You can see {what} but not change them. Only {WHO_MAY[scope]} can.
    </p>
  );
}
