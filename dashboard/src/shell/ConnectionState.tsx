import { useLive } from "@/live/LiveProvider";
import type { Connection } from "@/live/socket";
import { cx } from "@/ui/cx";

const WORDS: Record<Connection, { name: string; hint: string }> = {
  live: { name: "Live", hint: "New posts appear as they are analysed" },
  connecting: { name: "Connecting", hint: "Opening the live connection" },
  reconnecting: { name: "Reconnecting", hint: "The live connection was lost; trying again" },
  offline: { name: "Offline", hint: "This device has no network" },
};

/** Whether the page is live. */
export function ConnectionState() {
  const connection = useLive((state) => state.connection);
  const { name, hint } = WORDS[connection];
  return (
    <span role="status" title={hint} className="inline-flex h-8 items-center gap-2 px-2 text-sm text-quiet">
      <span
        aria-hidden="true"
        className={cx("size-2 rounded-full", connection === "live" ? "bg-positive" : "border-2 border-warn")}
      />
      {name}
    </span>
  );
}

/** A quiet line under the top bar while the connection is away; it leaves by itself. */
export function ReconnectingBar() {
  const connection = useLive((state) => state.connection);
  if (connection !== "reconnecting" && connection !== "offline") return null;
  return (
    <p className="animate-appear border-b border-border bg-raised px-4 py-1 text-center text-xs text-quiet">
      {connection === "offline"
        ? "You are offline. What you see is from before; it goes on when the network is back."
        : "The live connection was lost. Reconnecting; posts that came meanwhile will be filled in."}
    </p>
  );
}
