import { useState } from "react";
import { invite } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { Invitation, User } from "@/api/types";
import { exact } from "@/lib/format";
import { FormError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { ShownOnce } from "@/ui/ShownOnce";
import { useSave } from "@/ui/useSave";

/** Creates a new link for a person, for example after a forgotten password. */
export function InviteLink({ user, onDone }: { user: User; onDone: () => void }) {
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const save = useSave({
    save: () => invite(user.id),
    invalidates: [keys.users.all],
    onDone: setInvitation,
  });
  if (invitation) return <LinkShown name={user.name} invitation={invitation} onDone={onDone} />;
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4 text-sm">
      <p>
        With the link, <bdi className="font-medium">{user.name}</bdi> chooses a new password. The link
        replaces earlier links.
        {user.has_password && " The current password works until the link is used."}
      </p>
      <FormError error={save.error} fields={[]} />
      <FormButtons submit="Create link" pending={save.pending} onCancel={onDone} />
    </form>
  );
}

interface LinkShownProps {
  name: string;
  invitation: Invitation;
  onDone: () => void;
}

/** The link of an invitation, which the server shows once. */
export function LinkShown({ name, invitation, onDone }: LinkShownProps) {
  return (
    <ShownOnce
      text={`Send this link to ${name}. It works once, until ${exact(invitation.expires_at)}.`}
      secret={invitation.url}
      onDone={onDone}
    />
  );
}
