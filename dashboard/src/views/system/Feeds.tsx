import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Pause, Play } from "lucide-react";
import { pauseFeed, resumeFeed } from "@/api/endpoints";
import type { Feed } from "@/api/types";
import { ago, count, duration, exact, rate } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { useNow } from "@/lib/useNow";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { EmptyState } from "@/ui/states";

const TROUBLED: ReadonlySet<string> = new Set(["waiting", "backing_off", "failed"]);

/** What feeds the stream: how each source does, and pausing it. */
export function Feeds({ feeds }: { feeds: Feed[] }) {
  return (
    <Card title="Sources">
      {feeds.length === 0 ? (
        <EmptyState title="No source is read">
          <p>Posts come by the API, by import, or by other programs alone.</p>
        </EmptyState>
      ) : (
        <ul className="-mx-4 -my-2">
          {feeds.map((feed) => (
            <FeedRow key={feed.name} feed={feed} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function FeedRow({ feed }: { feed: Feed }) {
  const now = useNow(10_000);
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: () => (feed.paused ? resumeFeed(feed.name) : pauseFeed(feed.name)),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["system"] }),
  });
  const state = feed.online || feed.paused ? feed.state.replaceAll("_", " ") : "offline";
  const troubled = !feed.paused && (TROUBLED.has(feed.state) || !feed.online);
  const facts = [
    rate(feed.rate),
    feed.lag_seconds != null && `lag ${duration(feed.lag_seconds)}`,
    `${count(feed.posts)} read`,
    feed.rejected > 0 && `${count(feed.rejected)} invalid`,
    (feed.errors ?? 0) > 0 && `failed ${count(feed.errors ?? 0)} times`,
  ].filter(Boolean);
  const action = feed.paused ? "Resume" : "Pause";
  return (
    <li className="flex items-start gap-3 border-b border-border px-4 py-2.5 text-sm last:border-b-0">
      <div className="min-w-0 flex-1">
        <p className="[overflow-wrap:anywhere]">
          <span className="font-medium">{feed.name}</span>{" "}
          <span className={troubled ? "text-negative" : "text-quiet"}>{sentence(state)}</span>
        </p>
        <p className="tabular text-xs text-quiet">
          {facts.join(" · ")}
          {feed.last_post && (
            <>
              {" · last "}
              <span title={exact(feed.last_post)}>{ago(feed.last_post, now)}</span>
            </>
          )}
        </p>
        {troubled && feed.last_error && (
          <p className="text-xs text-quiet [overflow-wrap:anywhere]">{feed.last_error}</p>
        )}
        {change.error && (
          <p role="alert" className="text-xs text-negative">
            {change.error.message}
          </p>
        )}
      </div>
      <Button
        onClick={() => change.mutate()}
        disabled={change.isPending}
        aria-label={`${action} ${feed.name}`}
      >
        {feed.paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
        {action}
      </Button>
    </li>
  );
}
