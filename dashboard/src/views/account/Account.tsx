import { Link } from "@tanstack/react-router";
import { useSessionQuery } from "@/api/access";
import type { SessionUser } from "@/api/types";
import { ROLES } from "@/lib/roles";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { TokenCard } from "../tokens/TokenCard";
import { Devices } from "./Devices";
import { PasswordCard } from "./PasswordCard";

/** The account of the current user: role, password, sessions and API tokens. */
export function Account() {
  const { data: session, error, refetch } = useSessionQuery();
  if (!session && error) return <ErrorState error={error} retry={() => void refetch()} />;
  if (!session) return <SkeletonRows rows={3} />;
  if (!session.user) return <NoAccount />;
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
        <RoleCard user={session.user} />
        {session.user.has_password && <PasswordCard user={session.user} />}
      </div>
      <Devices of="own" />
      <TokenCard ownerId={session.user.id} grantable={session.scopes} />
    </div>
  );
}

function RoleCard({ user }: { user: SessionUser }) {
  const at = ROLES.findIndex(({ role }) => role === user.role);
  return (
    <Card title="Your role">
      <p className="text-base font-medium [overflow-wrap:anywhere]">
        <bdi>{user.name}</bdi>
      </p>
      <p className="mt-1 text-sm text-quiet">{ROLES[at]?.name}: you can</p>
      <ul className="mt-1 list-disc ps-5 text-sm text-quiet">
        {ROLES.slice(0, at + 1).map(({ role, can }) => (
          <li key={role}>{can}</li>
        ))}
      </ul>
      {user.role !== "admin" && (
        <p className="mt-2 text-xs text-quiet">Administrators can give you another role.</p>
      )}
      {user.provider && (
        <p className="mt-2 text-xs text-quiet [overflow-wrap:anywhere]">You sign in with {user.provider}.</p>
      )}
    </Card>
  );
}

function NoAccount() {
  return (
    <EmptyState title="You have no account here">
      <p>You use an access token, or a browser on the server's computer. Both work without an account.</p>
      <Link to="/settings/people" className={buttonClass()}>
        Show people
      </Link>
    </EmptyState>
  );
}
