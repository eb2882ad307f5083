import { UserPlus } from "lucide-react";
import { useState } from "react";
import { useSessionQuery } from "@/api/access";
import { useUsersQuery } from "@/api/accounts";
import type { User } from "@/api/types";
import { useNow } from "@/lib/useNow";
import { AdminOnly } from "@/shell/AdminOnly";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { cx } from "@/ui/cx";
import { Drawer } from "@/ui/Drawer";
import { LoadMore } from "@/ui/LoadMore";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { Devices } from "../account/Devices";
import { SettingsTabs } from "../settings/SettingsTabs";
import { FirstAccount } from "./FirstAccount";
import { InviteForm } from "./InviteForm";
import { InviteLink } from "./InviteLink";
import { UserForm } from "./UserForm";
import { UserRow } from "./UserRow";

/** The content of the drawer: an invitation, the form of a person, or a new link for a person. */
type Panel = { kind: "invite" } | { kind: "edit"; user: User } | { kind: "link"; user: User } | null;

const TITLES = { invite: "Invite a person", edit: "Edit person", link: "New password link" } as const;

/** The people with an account: roles, invitations and sessions. */
export function People() {
  const { data: session, isPending } = useSessionQuery();
  return (
    <AdminOnly>
      <SettingsTabs />
      {isPending ? (
        <SkeletonRows rows={3} />
      ) : session?.setup ? (
        <FirstAccount />
      ) : (
        <Accounts ownId={session?.user?.id ?? null} />
      )}
    </AdminOnly>
  );
}

function Accounts({ ownId }: { ownId: number | null }) {
  const { query, users } = useUsersQuery();
  const [panel, setPanel] = useState<Panel>(null);
  const now = useNow(10_000);
  const close = () => setPanel(null);
  const invite = (
    <Button look="solid" onClick={() => setPanel({ kind: "invite" })}>
      <UserPlus size={14} aria-hidden="true" />
      Invite
    </Button>
  );
  return (
    <div className="flex flex-col gap-4">
      <Card title="People" action={invite}>
        {query.error && !users ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !users ? (
          <SkeletonRows rows={3} />
        ) : (
          <ul className={cx("-mx-4 border-t border-border text-sm", !query.hasNextPage && "-mb-4")}>
            {users.map((user) => (
              <UserRow
                key={user.id}
                user={user}
                isOwn={user.id === ownId}
                now={now}
                onEdit={() => setPanel({ kind: "edit", user })}
                onLink={() => setPanel({ kind: "link", user })}
              />
            ))}
          </ul>
        )}
        <LoadMore query={query}>Show more people</LoadMore>
      </Card>
      <Devices of="all" />
      <Drawer title={panel ? TITLES[panel.kind] : ""} open={panel !== null} onClose={close}>
        {panel?.kind === "invite" && <InviteForm onDone={close} />}
        {panel?.kind === "link" && <InviteLink user={panel.user} onDone={close} />}
        {panel?.kind === "edit" && (
          <UserForm user={panel.user} isOwn={panel.user.id === ownId} onDone={close} />
        )}
      </Drawer>
    </div>
  );
}
