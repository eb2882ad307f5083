import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { removeTopic } from "@/api/topics";
import type { Topic } from "@/api/types";
import { percent, plural } from "@/lib/format";
import { parseSearch, type Search } from "@/lib/search";
import { Button } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";

/** One topic: its query, how many posts it has, and how far old posts are matched. */
export function TopicRow({ topic, onEdit }: { topic: Topic; onEdit: () => void }) {
  const queries = useQueryClient();
  const { name, query, description, origin, backfill, posts } = topic;
  const remove = useMutation({
    mutationFn: () => removeTopic(topic),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["topics"] }),
  });
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p>
          <Link
            to="/"
            search={(old: Search) => parseSearch({ ...old, topic: name })}
            className="font-medium underline decoration-strong underline-offset-2 hover:decoration-current"
          >
            {name}
          </Link>{" "}
          <span className="tabular text-quiet">
            {plural(posts.total, "post")} in all
            {origin === "config" && ", from the configuration file"}
          </span>
        </p>
        <p className="font-mono text-xs [overflow-wrap:anywhere]">{query}</p>
        {description && <p className="text-xs text-quiet [overflow-wrap:anywhere]">{description}</p>}
        {backfill.running && (
          <p role="status" className="tabular text-xs text-quiet">
            ● Older posts are being matched, {percent(backfill.progress)} done
          </p>
        )}
      </div>
      {origin === "api" && (
        <div className="flex flex-wrap gap-2">
          <Button onClick={onEdit} aria-label={`Change ${name}`}>
            Change
          </Button>
          <ConfirmButton
            action="Remove"
            title={`Remove the topic ${name}?`}
            text="Its matches and counts go; the posts stay."
            pending={remove.isPending}
            error={remove.error}
            onConfirm={() => remove.mutate()}
          />
        </div>
      )}
    </li>
  );
}
