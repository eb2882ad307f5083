import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { isDemoBusy, removeDemo, useDemoQuery } from "@/api/demo";
import { keys } from "@/api/keys";
import { useSourcesQuery, useSystemQuery } from "@/api/queries";
import type { Demo, SourceInfo, System } from "@/api/types";
import { count } from "@/lib/format";
import { buttonClass, IconButton } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { Allowed } from "./Allowed";

const KEY = "sentistream.first-run-seen";
/** Dismissing the notice about synthetic posts does not dismiss the question whether to remove them. */
const MIXED_KEY = "sentistream.mixed-seen";
/** The component name of the synthetic source. */
const SYNTHETIC = "source:synthetic";

/** The source names of synthetic posts. */
const MADE_UP: ReadonlySet<string> = new Set([
  ...["twitter", "reddit", "bluesky", "mastodon", "youtube", "reviews", "news"],
]);

/** Whether any post came from another source than the synthetic one. */
function hasRealPosts(system: System, sources: readonly SourceInfo[]): boolean {
  const read = system.sources?.some(({ kind, name, posts }) => (kind ?? name) !== "synthetic" && posts > 0);
  return read === true || sources.some(({ source }) => !MADE_UP.has(source));
}

/** A notice about synthetic posts, or the progress of the demonstration. Offers to remove the demonstration. */
export function FirstRun() {
  const demo = useDemoQuery().data;
  useRefresh(demo);
  if (demo && isDemoBusy(demo)) return <DemoProgress demo={demo} />;
  return <DemoNotice demo={demo} />;
}

/** Refetches all queries after the demonstration was filled or removed. */
function useRefresh(demo: Demo | undefined) {
  const queries = useQueryClient();
  const busy = demo !== undefined && isDemoBusy(demo);
  const before = useRef(false);
  useEffect(() => {
    if (before.current && !busy) void queries.invalidateQueries();
    before.current = busy;
  }, [busy, queries]);
}

const STEPS: Record<string, string> = {
  filling: "Analysing a week of demo posts",
  evaluating: "Evaluating alert rules over the demo posts",
  removing: "Removing the demo posts, topics, rules and alerts",
};

function DemoProgress({ demo: { state, planned, stored } }: { demo: Demo }) {
  const filling = state === "filling";
  const done = planned > 0 ? Math.min(100, (stored * 100) / planned) : 0;
  return (
    <Notice>
      <div className="min-w-48 flex-1 py-1 pr-2.5">
        <p className="flex flex-wrap justify-between gap-x-3" role="status">
          {STEPS[state]}
          {filling && planned > 0 && (
            <span className="tabular text-quiet">
              {count(stored)} of {count(planned)} posts ({Math.floor(done)}%)
            </span>
          )}
        </p>
        <progress
          aria-label="Progress"
          className="mt-1.5 block h-1.5 w-full overflow-hidden rounded-full accent-(--color-focus)"
          max={100}
          value={filling ? done : undefined}
        />
      </div>
    </Notice>
  );
}

function DemoNotice({ demo }: { demo: Demo | undefined }) {
  const system = useSystemQuery().data;
  const sources = useSourcesQuery().data;
  const mixed = system !== undefined && hasRealPosts(system, sources ?? []);
  const seen = useSeen(mixed ? MIXED_KEY : KEY);
  const isDemo = demo?.state === "ready";
  const isMadeUp = isDemo || system?.components.some(({ name }) => name === SYNTHETIC) === true;
  if (seen.value || !system || !isMadeUp || (mixed && !isDemo) || demo?.state === "removed") return null;
  return (
    <Notice>
      <p className="min-w-48 flex-1 py-1">
        {mixed
          ? "Real posts are arriving. Remove the demo data?"
          : "These posts are made up for demonstration."}
      </p>
      <div className="order-1 flex flex-wrap gap-2 sm:order-none">
        {isDemo && (
          <Allowed scope="edit">
            <RemoveDemo />
          </Allowed>
        )}
        {!mixed && (
          <Allowed scope="edit">
            <Link to="/sources" className={buttonClass()}>
              Connect a real source
            </Link>
          </Allowed>
        )}
      </div>
      <IconButton label="Dismiss" className="self-start" onClick={seen.mark}>
        <X size={16} />
      </IconButton>
    </Notice>
  );
}

function RemoveDemo() {
  const removal = useChange(removeDemo, [keys.demo.all]);
  return (
    <ConfirmButton
      action="Remove demo data"
      title="Remove demo data?"
      text="This removes the demo posts with their topics, rules and alerts, and pauses the source that generates demo posts."
      pending={removal.isPending}
      error={removal.error}
      onConfirm={() => removal.mutate()}
    />
  );
}

function Notice({ children }: { children: ReactNode }) {
  return (
    <div className="card mb-4 flex animate-appear flex-wrap items-center gap-x-3 gap-y-1 py-1.5 pr-1.5 pl-4 text-sm">
      {children}
    </div>
  );
}

/** Whether a notice was dismissed in this browser. */
function useSeen(key: string) {
  const [marked, setMarked] = useState<string | null>(null);
  const mark = () => {
    setMarked(key);
    try {
      localStorage.setItem(key, "yes");
    } catch {
      // Storage may be blocked. The notice is then shown again at the next visit.
    }
  };
  return { value: marked === key || isStored(key), mark };
}

function isStored(key: string): boolean {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return false;
  }
}
