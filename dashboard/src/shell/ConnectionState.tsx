import { useLive } from "@/live/LiveProvider";
import type { Connection } from "@/live/socket";
import { cx } from "@/ui/cx";

const WORDS: Record<Connection, { name: string; hint: string }> = {
  live: { name: "Live", hint: "New posts appear as they are analysed" },
  connecting: { name: "Connecting", hint: "Opening the live connection" },
  reconnecting: { name: "Reconnecting", hint: "The live connection was lost. Retrying." },
  offline: { name: "Offline", hint: "This device is offline" },
};

/** The state of the live connection. */
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

/** A line under the top bar while the live connection is down. */
export function ReconnectingBar() {
  const connection = useLive((state) => state.connection);
  if (connection !== "reconnecting" && connection !== "offline") return null;
  return (
    <p className="animate-appear border-b border-border bg-raised px-4 py-1 text-center text-xs text-quiet">
      {connection === "offline"
        ? "You are offline. Data on this page is out of date and updates when the network is back."
        : "The live connection was lost. Reconnecting; missed posts will be loaded."}
    </p>
  );
}
