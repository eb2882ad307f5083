import { Link } from "@tanstack/react-router";
import { Pause, Play } from "lucide-react";
import type { ReactNode } from "react";
import { setSourcePaused } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { Feed } from "@/api/types";
import { ago, count, duration, exact, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { parseSearch } from "@/lib/search";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { FailureNote } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { Command, EmptyState } from "@/ui/states";
import { useChange } from "@/ui/useSave";

/** The display name of each state. */
const STATES: Record<Feed["state"], { name: string; look: "good" | "quiet" | "bad" }> = {
  starting: { name: "Starting", look: "quiet" },
  connected: { name: "Connected", look: "good" },
  waiting: { name: "Waiting: stream is full", look: "quiet" },
  backing_off: { name: "Retrying", look: "bad" },
  paused: { name: "Paused", look: "quiet" },
  standby: { name: "Read by another instance", look: "quiet" },
  failed: { name: "Failed", look: "bad" },
  finished: { name: "Finished", look: "quiet" },
};

const DOTS = { good: "bg-positive", quiet: "bg-neutral", bad: "bg-negative" } as const;

/** The sources with their state, their figures and a pause button. */
export function Sources({ feeds }: { feeds: readonly Feed[] | null | undefined }) {
  return (
    <Card title="Sources">
      {!feeds ? (
        <p className="text-sm text-quiet">Unknown while the database is unavailable.</p>
      ) : feeds.length === 0 ? (
        <EmptyState title="No sources configured">
          <p>Posts can still arrive over HTTP and from the command line. To start with made-up posts:</p>
          <Command>{"sentistream --set 'ingester.sources=[\"synthetic\"]'"}</Command>
        </EmptyState>
      ) : (
        <FeedList feeds={feeds} />
      )}
    </Card>
  );
}

function FeedList({ feeds }: { feeds: readonly Feed[] }) {
  const now = useNow(5_000);
  return (
    <ul className="-mx-4 -mb-4 border-t border-border text-sm">
      {feeds.map((feed) => (
        <FeedRow key={feed.name} feed={feed} now={now} />
      ))}
    </ul>
  );
}

function FeedRow({ feed, now }: { feed: Feed; now: number }) {
  const lost = !feed.online && feed.state !== "paused" && feed.state !== "finished";
  const state = lost ? { name: "Not running on any instance", look: "bad" as const } : STATES[feed.state];
  return (
    <li className="grid grid-cols-2 items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0 sm:grid-cols-4 lg:grid-cols-[minmax(10rem,1.4fr)_repeat(5,minmax(4.5rem,0.7fr))_6.5rem]">
      <div className="col-span-2 min-w-0 sm:col-span-4 lg:col-span-1">
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
        <p className="pl-4 text-xs text-quiet" title={`${feed.instance}, ${exact(feed.reported_at)}`}>
          {state.name}
        </p>
      </div>
      <Figure name="Posts/s">{rate(feed.rate)}</Figure>
      <Figure name="Lag">{feed.lag_seconds == null ? "–" : duration(Math.max(0, feed.lag_seconds))}</Figure>
      <Figure name="Posts">{count(feed.posts)}</Figure>
      <Figure name="Last post">
        {feed.last_post ? <span title={exact(feed.last_post)}>{ago(feed.last_post, now)}</span> : "–"}
      </Figure>
      <Figure name="Errors">
        {count(feed.errors ?? 0)}
        {feed.rejected > 0 && (
          <span className="text-quiet" title="Items rejected as invalid">
            {" "}
            +{count(feed.rejected)}
          </span>
        )}
      </Figure>
      <Allowed scope="edit">
        <PauseButton feed={feed} />
      </Allowed>
      {feed.last_error && (
        <p className="col-span-full pl-4 text-xs text-quiet [overflow-wrap:anywhere]">
          {state.look === "bad" ? "" : "Last error: "}
          {sentence(feed.last_error)}
        </p>
      )}
    </li>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <p className="text-xs text-quiet">{name}</p>
      <p className="tabular">{children}</p>
    </div>
  );
}

function PauseButton({ feed: { name, paused } }: { feed: Feed }) {
  const change = useChange(() => setSourcePaused(name, !paused), [keys.system.all]);
  return (
    <div className="flex flex-col items-start gap-1 lg:items-end">
      <Button
        aria-label={paused ? `Resume ${name}` : `Pause ${name}`}
        disabled={change.isPending}
        onClick={() => change.mutate()}
      >
        {paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
        {paused ? "Resume" : "Pause"}
      </Button>
      <FailureNote error={change.error} />
    </div>
  );
}
