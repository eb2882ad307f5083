import { Pencil } from "lucide-react";
import { deleteSource } from "@/api/sources";
import type { Backfill, Feed } from "@/api/types";
import { ago, count, exact, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { FEED_QUERIES, FeedName, feedState, PauseButton } from "./FeedState";

interface SourceRowProps {
  feed: Feed;
  /** Whether the source was added through the API. Sources of the configuration cannot be changed. */
  managed: boolean;
  now: number;
  onEdit: () => void;
}

/** A source with its state, its figures and its actions. */
export function SourceRow({ feed, managed, now, onEdit }: SourceRowProps) {
  const state = feedState(feed);
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0">
      <div className="min-w-48 flex-1">
        <FeedName feed={feed} look={state.look} />
        <p className="pl-4 text-xs text-quiet">
          {state.name}
          {!managed && ", from the configuration"}
        </p>
        {feed.backfill && <BackfillNote backfill={feed.backfill} now={now} />}
        {feed.backfill?.last_error && (
          <p className="pl-4 text-xs [overflow-wrap:anywhere]">
            Earlier posts, last error: {sentence(feed.backfill.last_error)}
          </p>
        )}
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

/** The progress of reading posts that are older than the source. */
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
        {state === "paused" ? "Reading of earlier posts paused" : "Reading earlier posts"}: {count(posts)}{" "}
        read
        {until && <span title={exact(until)}>, back to {exact(until)}</span>}
      </span>
    </p>
  );
}

function DeleteButton({ name }: { name: string }) {
  const removal = useChange(() => deleteSource(name), FEED_QUERIES);
  return (
    <ConfirmButton
      action="Delete"
      title={`Delete ${name}?`}
      text="The source is no longer read. Its posts are kept."
      pending={removal.isPending}
      error={removal.error}
      onConfirm={() => removal.mutate()}
    />
  );
}
