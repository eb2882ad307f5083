import { useAccess } from "@/api/access";
import { AdminOnly } from "@/shell/AdminOnly";
import { SettingsTabs } from "../settings/SettingsTabs";
import { TokenCard } from "./TokenCard";

/** The access tokens of all programs and people. */
export function Tokens() {
  const { session } = useAccess();
  return (
    <AdminOnly>
      <SettingsTabs />
      <TokenCard ownerId={null} grantable={session?.scopes ?? []} />
    </AdminOnly>
  );
}
