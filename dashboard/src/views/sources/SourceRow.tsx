import { Link } from "@tanstack/react-router";
import { Pause, Pencil, Play } from "lucide-react";
import { setSourcePaused } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { deleteSource } from "@/api/sources";
import type { Backfill, Feed } from "@/api/types";
import { ago, count, exact, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { parseSearch } from "@/lib/search";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { ConfirmButton, FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { useChange } from "@/ui/useSave";

type Look = "good" | "quiet" | "bad";

/** The display name of each state. */
const STATES: Record<Feed["state"], { name: string; look: Look }> = {
  starting: { name: "Starting", look: "quiet" },
  connected: { name: "Running", look: "good" },
  waiting: { name: "Waiting: the stream is full", look: "quiet" },
  backing_off: { name: "Retrying", look: "bad" },
  paused: { name: "Paused", look: "quiet" },
  standby: { name: "Read by another instance", look: "quiet" },
  failed: { name: "Failed", look: "bad" },
  finished: { name: "Finished", look: "quiet" },
};

const DOTS: Record<Look, string> = { good: "bg-positive", quiet: "bg-neutral", bad: "bg-negative" };

interface SourceRowProps {
  feed: Feed;
  /** Whether it was added here and can be changed. */
  managed: boolean;
  now: number;
  onEdit: () => void;
}

/** A source with its state, its figures and its actions. */
export function SourceRow({ feed, managed, now, onEdit }: SourceRowProps) {
  const lost = !feed.online && feed.state !== "paused" && feed.state !== "finished";
  const state = lost ? { name: "Not running on any instance", look: "bad" as const } : STATES[feed.state];
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0">
      <div className="min-w-48 flex-1">
        <p className="flex items-center gap-2">
          <span aria-hidden="true" className={cx("size-2 shrink-0 rounded-full", DOTS[state.look])} />
          <Link
            to="/posts"
            search={parseSearch({ source: feed.name })}
            className="truncate font-medium underline-offset-2 hover:underline"
          >
            {feed.name}
          </Link>
          {feed.kind && feed.kind !== feed.name && <span className="text-quiet">{feed.kind}</span>}
        </p>
        <p className="pl-4 text-xs text-quiet">
          {state.name}
          {!managed && ", set up in the configuration"}
        </p>
        {feed.backfill && <BackfillNote backfill={feed.backfill} now={now} />}
        {feed.last_error && (
          <p className="pl-4 text-xs [overflow-wrap:anywhere]">
            {state.look === "bad" ? "▼ " : "Last error: "}
            {sentence(feed.last_error)}
          </p>
        )}
      </div>
      <p className="tabular text-right text-xs text-quiet">
        {count(feed.posts)} posts, {rate(feed.rate)}
        <br />
        {feed.last_post ? (
          <span title={exact(feed.last_post)}>last {ago(feed.last_post, now)}</span>
        ) : (
          "no post yet"
        )}
      </p>
      <Allowed scope="edit">
        <div className="flex flex-wrap gap-2">
          <PauseButton feed={feed} />
          {managed && (
            <Button aria-label={`Edit ${feed.name}`} onClick={onEdit}>
              <Pencil size={14} aria-hidden="true" />
              Edit
            </Button>
          )}
          {managed && <DeleteButton name={feed.name} />}
        </div>
      </Allowed>
    </li>
  );
}

interface BackfillNoteProps {
  backfill: Backfill;
  now: number;
}

/** How far the posts from before the source was added have been read. */
function BackfillNote({ backfill: { state, posts, until, since }, now }: BackfillNoteProps) {
  if (state === "finished") {
    return <p className="pl-4 text-xs text-quiet">Earlier posts read: {count(posts)}</p>;
  }
  const reached = until ? new Date(until).getTime() : now;
  const share = Math.min(1, Math.max(0, (now - reached) / Math.max(1, now - new Date(since).getTime())));
  return (
    <p className="flex items-center gap-2 pl-4 text-xs text-quiet">
      <progress
        aria-label="Earlier posts"
        value={share}
        max={1}
        className="h-1 w-24 accent-(--color-focus)"
      />
      <span>
        {state === "paused" ? "Earlier posts paused" : "Reading earlier posts"}: {count(posts)}
        {until && <span title={exact(until)}>, back to {exact(until)}</span>}
      </span>
    </p>
  );
}

const CHANGED = [keys.feeds.all, keys.system.all];

function PauseButton({ feed: { name, paused } }: { feed: Feed }) {
  const change = useChange(() => setSourcePaused(name, !paused), CHANGED);
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

function DeleteButton({ name }: { name: string }) {
  const removal = useChange(() => deleteSource(name), CHANGED);
  return (
    <ConfirmButton
      action="Delete"
      title={`Delete ${name}?`}
      text="The source is no longer read. Its posts stay."
      pending={removal.isPending}
      error={removal.error}
      onConfirm={() => removal.mutate()}
    />
  );
}
