import type { ReactNode } from "react";
import type { Feed } from "@/api/types";
import { ago, count, duration, exact, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { Card } from "@/ui/Card";
import { Command, EmptyState } from "@/ui/states";
import { FeedName, feedState, PauseButton } from "../sources/FeedState";

/** The sources with their state, their figures and a pause button. */
export function Sources({ feeds }: { feeds: readonly Feed[] | null | undefined }) {
  return (
    <Card title="Sources">
      {!feeds ? (
        <p className="text-sm text-quiet">Unknown while the database is unavailable.</p>
      ) : feeds.length === 0 ? (
        <EmptyState title="No sources configured">
          <p>Posts can still arrive over HTTP and from the command line. To start with demo posts:</p>
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
  const state = feedState(feed);
  return (
    <li className="grid grid-cols-2 items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0 sm:grid-cols-4 lg:grid-cols-[minmax(10rem,1.4fr)_repeat(5,minmax(4.5rem,0.7fr))_6.5rem]">
      <div className="col-span-2 min-w-0 sm:col-span-4 lg:col-span-1">
        <FeedName feed={feed} look={state.look} />
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
        <div className="flex flex-col items-start gap-1 lg:items-end">
          <PauseButton feed={feed} />
        </div>
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
