import { endOtherSessions, endSession, useDevicesQuery } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { SignedInDevice } from "@/api/types";
import { deviceName } from "@/lib/device";
import { ago, exact } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { Card } from "@/ui/Card";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { LoadMore } from "@/ui/LoadMore";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useChange } from "@/ui/useSave";

/** The signed-in devices of the current user, or of all users for administrators. */
export function Devices({ of }: { of: "own" | "all" }) {
  const { query, devices } = useDevicesQuery(of === "all" ? "all" : "");
  const now = useNow(10_000);
  const others = devices?.filter(({ current }) => !current) ?? [];
  return (
    <Card
      title={of === "all" ? "Signed-in devices" : "Your signed-in devices"}
      action={of === "own" && others.length > 0 ? <EndOthers /> : undefined}
    >
      {query.error && !devices ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !devices ? (
        <SkeletonRows rows={2} />
      ) : devices.length === 0 ? (
        <EmptyState title="No devices are signed in" />
      ) : (
        <ul className={cx("-mx-4 border-t border-border text-sm", !query.hasNextPage && "-mb-4")}>
          {devices.map((device) => (
            <DeviceRow key={device.id} device={device} withUser={of === "all"} now={now} />
          ))}
        </ul>
      )}
      <LoadMore query={query}>Show more devices</LoadMore>
    </Card>
  );
}

const CHANGED = [keys.devices.all];

interface DeviceRowProps {
  device: SignedInDevice;
  withUser: boolean;
  now: number;
}

function DeviceRow({ device, withUser, now }: DeviceRowProps) {
  const name = deviceName(device.user_agent);
  const end = useChange(() => endSession(device.id), CHANGED);
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0">
      <div className="min-w-48 flex-1">
        <p className="[overflow-wrap:anywhere]">
          {withUser && (
            <>
              <bdi className="font-medium">{device.user.name}</bdi>,{" "}
            </>
          )}
          <span title={device.user_agent ?? undefined}>{name}</span>
          {device.current && <span className="text-quiet"> (this device)</span>}
        </p>
        <p className="text-xs text-quiet">
          {device.address ?? "unknown address"}, signed in{" "}
          <span title={exact(device.created_at)}>{ago(device.created_at, now)}</span>
        </p>
      </div>
      <p className="tabular text-xs text-quiet">
        <span title={exact(device.last_seen_at)}>active {ago(device.last_seen_at, now)}</span>
      </p>
      {!device.current && (
        <ConfirmButton
          action="Sign out"
          title={withUser ? `Sign out ${device.user.name} on this device?` : "Sign out this device?"}
          text={`${name} at ${device.address ?? "an unknown address"} has to sign in again.`}
          pending={end.isPending}
          error={end.error}
          onConfirm={() => end.mutate()}
        />
      )}
    </li>
  );
}

function EndOthers() {
  const end = useChange(endOtherSessions, CHANGED);
  return (
    <ConfirmButton
      action="Sign out other devices"
      title="Sign out all other devices?"
      text="They have to sign in again. This device stays signed in."
      pending={end.isPending}
      error={end.error}
      onConfirm={() => end.mutate()}
    />
  );
}
