import { useAccess } from "@/api/access";
import type { Scope } from "@/api/types";
import { WHO_MAY } from "@/lib/roles";

interface ReadOnlyNoteProps {
  scope: Scope;
  /** The objects that cannot be changed, such as "topics". */
  what: string;
}

/** Explains why a view offers no changes. Renders nothing for people with the scope. */
export function ReadOnlyNote({ scope, what }: ReadOnlyNoteProps) {
  const { can } = useAccess();
  if (can(scope)) return null;
  return (
    <p className="mb-3 text-sm text-quiet">
      You can see {what} but not change them. Only {WHO_MAY[scope]} can.
    </p>
  );
}
