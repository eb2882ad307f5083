import { Link } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import { setSourcePaused } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { Feed } from "@/api/types";
import { parseSearch } from "@/lib/search";
import { Button } from "@/ui/Button";
import { FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { useChange } from "@/ui/useSave";

type Look = "good" | "quiet" | "bad";

interface FeedState {
  /** The display name. */
  name: string;
  look: Look;
}

const STATES: Record<Feed["state"], FeedState> = {
  starting: { name: "Starting", look: "quiet" },
  connected: { name: "Running", look: "good" },
  waiting: { name: "Waiting: the stream is full or unavailable", look: "quiet" },
  backing_off: { name: "Retrying", look: "bad" },
  paused: { name: "Paused", look: "quiet" },
  standby: { name: "Read by another instance", look: "quiet" },
  failed: { name: "Failed", look: "bad" },
  finished: { name: "Finished", look: "quiet" },
};

const DOTS: Record<Look, string> = { good: "bg-positive", quiet: "bg-neutral", bad: "bg-negative" };

/** The state of a source for display, including the state in which no instance runs the source. */
export function feedState({ online, state }: Feed): FeedState {
  const lost = !online && state !== "paused" && state !== "finished";
  return lost ? { name: "Not running on any instance", look: "bad" } : STATES[state];
}

/** The name of a source with its state as a coloured dot, and a link to its posts. */
export function FeedName({ feed: { name, kind }, look }: { feed: Feed; look: Look }) {
  return (
    <p className="flex items-center gap-2">
      <span aria-hidden="true" className={cx("size-2 shrink-0 rounded-full", DOTS[look])} />
      <Link
        to="/posts"
        search={parseSearch({ source: name })}
        className="truncate font-medium underline-offset-2 hover:underline"
      >
        {name}
      </Link>
      {kind && kind !== name && <span className="text-quiet">{kind}</span>}
    </p>
  );
}

/** The queries that show the state of sources. */
export const FEED_QUERIES = [keys.feeds.all, keys.system.all];

/** Pauses or resumes a source. */
export function PauseButton({ feed: { name, paused } }: { feed: Feed }) {
  const change = useChange(() => setSourcePaused(name, !paused), FEED_QUERIES);
  return (
    <>
      <Button
        aria-label={paused ? `Resume ${name}` : `Pause ${name}`}
        disabled={change.isPending}
        onClick={() => change.mutate()}
      >
        {paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
        {paused ? "Resume" : "Pause"}
      </Button>
      <FailureNote error={change.error} />
    </>
  );
}
