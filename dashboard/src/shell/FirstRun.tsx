import { X } from "lucide-react";
import { useState } from "react";
import { useSourcesQuery, useSystemQuery } from "@/api/queries";
import type { SourceInfo, System } from "@/api/types";
import { Button, IconButton } from "@/ui/Button";
import { Modal } from "@/ui/Drawer";
import { ConnectSource } from "./ConnectSource";

const KEY = "sentistream.first-run-seen";
/** The name of the source of made-up posts. */
const SYNTHETIC = "source:synthetic";

/** The source names of made-up posts. */
const MADE_UP: ReadonlySet<string> = new Set([
  ...["twitter", "reddit", "bluesky", "mastodon", "youtube", "reviews", "news"],
]);

/** Whether any post came from somewhere else than the synthetic source. */
function hasRealPosts(system: System, sources: readonly SourceInfo[]): boolean {
  const read = system.sources?.some(({ kind, name, posts }) => (kind ?? name) !== "synthetic" && posts > 0);
  return read === true || sources.some(({ source }) => !MADE_UP.has(source));
}

/** Says that the posts are made up, until it is dismissed or real posts arrive. */
export function FirstRun() {
  const [seen, setSeen] = useState(() => isSeen());
  const [open, setOpen] = useState(false);
  const system = useSystemQuery(!seen).data;
  const sources = useSourcesQuery().data;
  if (seen || !system?.components.some(({ name }) => name === SYNTHETIC)) return null;
  if (hasRealPosts(system, sources ?? [])) return null;
  const dismiss = () => {
    setSeen(true);
    markSeen();
  };
  return (
    <div className="card mb-4 flex animate-appear flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-1.5 pl-4 text-sm">
      <p className="min-w-48 flex-1 py-1">These posts are made up, so that you can look around.</p>
      <Button className="order-1 sm:order-none" onClick={() => setOpen(true)}>
        Connect a real source
      </Button>
      <IconButton label="Dismiss" className="self-start" onClick={dismiss}>
        <X size={16} />
      </IconButton>
      <Modal title="Connect a real source" open={open} onClose={() => setOpen(false)}>
        <ConnectSource />
      </Modal>
    </div>
  );
}

function isSeen(): boolean {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function markSeen(): void {
  try {
    localStorage.setItem(KEY, "yes");
  } catch {
    // Storage may be blocked: the line then comes back with the next visit.
  }
}
