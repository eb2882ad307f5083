import { AdminOnly } from "@/shell/AdminOnly";
import { SettingsTabs } from "../settings/SettingsTabs";
import { BackupsCard } from "./BackupsCard";
import { MetricsCard } from "./MetricsCard";
import { MigrationsCard } from "./MigrationsCard";
import { ReleaseCard } from "./ReleaseCard";

/** Backups, the schema of the database, metrics and release notes. */
export function Maintenance() {
  return (
    <AdminOnly>
      <SettingsTabs />
      <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
        <BackupsCard />
        <div className="flex min-w-0 flex-col gap-4">
          <MigrationsCard />
          <MetricsCard />
        </div>
        <ReleaseCard />
      </div>
    </AdminOnly>
  );
}
