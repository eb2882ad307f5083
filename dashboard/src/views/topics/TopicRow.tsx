import { Link } from "@tanstack/react-router";
import { BellPlus } from "lucide-react";
import { keys } from "@/api/keys";
import { removeTopic } from "@/api/topics";
import type { Topic } from "@/api/types";
import { percent, plural } from "@/lib/format";
import { parseSearch, type Search } from "@/lib/search";
import { Allowed } from "@/shell/Allowed";
import { buttonClass } from "@/ui/Button";
import { EditRemove } from "@/ui/EditRemove";
import { useChange } from "@/ui/useSave";

/** A topic: its query, its number of posts and the progress of its backfill. */
export function TopicRow({ topic, onEdit }: { topic: Topic; onEdit: () => void }) {
  const { name, query, description, origin, backfill, posts } = topic;
  const remove = useChange(() => removeTopic(topic), [keys.topics.all]);
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
            {plural(posts.total, "post")} in total
            {origin === "config" && ", from the configuration"}
          </span>
        </p>
        <p className="font-mono text-xs [overflow-wrap:anywhere]">{query}</p>
        {description && <p className="text-xs text-quiet [overflow-wrap:anywhere]">{description}</p>}
        {backfill.running && (
          <p role="status" className="tabular text-xs text-quiet">
            ● Matching stored posts: {percent(backfill.progress)}
          </p>
        )}
      </div>
      <Allowed scope="edit">
        <div className="flex flex-wrap gap-2">
          <Link
            to="/alerts/rules/$id"
            params={{ id: "new" }}
            search={{ topic: name }}
            className={buttonClass()}
            aria-label={`Alert on ${name}`}
          >
            <BellPlus size={14} aria-hidden="true" />
            Alert on this
          </Link>
          {origin === "api" && (
            <EditRemove
              name={name}
              title={`Remove the topic ${name}?`}
              text="The matches and counts of this topic are deleted. The posts are kept. Alert rules about this topic fail until a topic with this name is added."
              remove={remove}
              onEdit={onEdit}
            />
          )}
        </div>
      </Allowed>
    </li>
  );
}
