import { Link2, Pencil } from "lucide-react";
import { deleteUser } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { User } from "@/api/types";
import { ago, duration, exact } from "@/lib/format";
import { roleName } from "@/lib/roles";
import { Button } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";

interface UserRowProps {
  user: User;
  isOwn: boolean;
  now: number;
  onEdit: () => void;
  onLink: () => void;
}

/** A person with their role, their last sign-in and actions. */
export function UserRow({ user, isOwn, now, onEdit, onLink }: UserRowProps) {
  const removal = useChange(() => deleteUser(user.id), [keys.users.all, keys.devices.all, keys.tokens.all]);
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0">
      <div className="min-w-48 flex-1">
        <p className="[overflow-wrap:anywhere]">
          <bdi className="font-medium">{user.name}</bdi>
          {isOwn && <span className="text-quiet"> (you)</span>}
        </p>
        <p className="text-xs text-quiet">
          {roleName(user.role)}
          {user.disabled && ", disabled"}
          {user.provider && `, signs in with ${hostOf(user.provider)}`}
        </p>
      </div>
      <p className="tabular text-xs text-quiet sm:text-right">
        {user.last_sign_in_at ? (
          <span title={exact(user.last_sign_in_at)}>signed in {ago(user.last_sign_in_at, now)}</span>
        ) : (
          "never signed in"
        )}
        <InvitationState user={user} now={now} />
      </p>
      <div className="flex flex-wrap gap-2">
        <Button aria-label={`Edit ${user.name}`} onClick={onEdit}>
          <Pencil size={14} aria-hidden="true" />
          Edit
        </Button>
        {!user.provider && !isOwn && (
          <Button aria-label={`New password link for ${user.name}`} onClick={onLink}>
            <Link2 size={14} aria-hidden="true" />
            New password link
          </Button>
        )}
        {!isOwn && (
          <ConfirmButton
            action="Delete"
            title={`Delete ${user.name}?`}
            text="The person is signed out, and their API tokens stop working. Their changes and their entries in the audit log stay."
            pending={removal.isPending}
            error={removal.error}
            onConfirm={() => removal.mutate()}
          />
        )}
      </div>
    </li>
  );
}

function InvitationState({ user, now }: { user: User; now: number }) {
  const until = user.invited_until;
  if (!until) return null;
  const seconds = (Date.parse(until) - now) / 1_000;
  return (
    <>
      <br />
      <span title={exact(until)}>{seconds > 0 ? `link valid for ${duration(seconds)}` : "link expired"}</span>
    </>
  );
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}
