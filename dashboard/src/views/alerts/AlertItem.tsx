import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { getPosts } from "@/api/endpoints";
import type { Alert } from "@/api/types";
import { ago, count, duration, exact, percent, plural, score } from "@/lib/format";
import { sentence } from "@/lib/labels";
import { fromPost } from "@/live/post";
import { PostRow } from "@/posts/PostRow";
import { usePostLink } from "@/posts/usePostLink";
import { Button, buttonClass } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { ErrorState, SkeletonRows } from "@/ui/states";
import { postsQuery } from "../posts/usePosts";
import { spanText } from "./timeText";
import { alertTitle, evidence, measured, scopeName } from "./words";

/** An alert with its window, its numbers and, on request, the posts behind it. */
export function AlertItem({ alert, now }: { alert: Alert; now: number }) {
  const [open, setOpen] = useState(false);
  const firing = alert.state === "firing";
  return (
    <article className={cx("card flex flex-col gap-2 p-4 text-sm", firing && "border-negative")}>
      <header className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <h3 className="text-base font-medium">
          {alertTitle(alert)} <span className="text-quiet">in {scopeName(alert.scope)}</span>
        </h3>
        <span className="ml-auto text-xs text-quiet" title={exact(alert.triggered_at)}>
          {firing ? "fires since" : "fired"} {ago(alert.triggered_at, now)}
        </span>
      </header>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5">
        <dt className="text-quiet">Measured</dt>
        <dd className="tabular">{measured(alert)}</dd>
        <dt className="text-quiet">Window</dt>
        <dd className="tabular">
          {spanText(alert.window_start, alert.window_end)}, {plural(alert.post_count, "post")}
        </dd>
        <dt className="text-quiet">State</dt>
        <dd>{stateText(alert, now)}</dd>
        <Details details={alert.details} />
      </dl>
      <div className="flex flex-wrap gap-2">
        <Button aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Hide the evidence" : "Show the evidence"}
        </Button>
        <Link to="/posts" search={evidence(alert)} className={buttonClass("plain")}>
          All its negative posts
        </Link>
      </div>
      {open && <Evidence alert={alert} now={now} />}
    </article>
  );
}

function Details({ details }: { details: Alert["details"] }) {
  return Object.entries(details)
    .filter(([, value]) => typeof value === "number" || typeof value === "string")
    .map(([name, value]) => (
      <div key={name} className="contents">
        <dt className="text-quiet">{sentence(name.replaceAll("_", " "))}</dt>
        <dd className="tabular [overflow-wrap:anywhere]">
          {typeof value === "number" ? detailText(name, value) : String(value)}
        </dd>
      </div>
    ));
}

function detailText(name: string, value: number): string {
  if (name.endsWith("_share")) return percent(value * 100);
  return Number.isInteger(value) ? count(value) : score(value);
}

function Evidence({ alert, now }: { alert: Alert; now: number }) {
  const link = usePostLink();
  const query = useQuery({
    queryKey: ["posts", "evidence", alert.id],
    queryFn: ({ signal }) => getPosts({ ...postsQuery(evidence(alert), now), limit: 5 }, signal),
  });
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows rows={3} />;
  const posts = query.data.posts.map(fromPost);
  if (posts.length === 0) return <p className="text-quiet">Its posts are no longer stored.</p>;
  return (
    <div className="-mx-4 border-t border-border">
      {posts.map((post) => (
        <PostRow key={post.id} post={post} now={now} link={link} />
      ))}
    </div>
  );
}

function stateText({ state, triggered_at, resolved_at }: Alert, now: number): string {
  if (state === "firing" || !resolved_at) return "▼ Firing";
  const seconds = (Date.parse(resolved_at) - Date.parse(triggered_at)) / 1_000;
  return `● Resolved after ${duration(seconds)}, ${ago(resolved_at, now)}`;
}
