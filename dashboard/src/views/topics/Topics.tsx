import { Plus } from "lucide-react";
import { useState } from "react";
import { useTopicsQuery } from "@/api/queries";
import type { Topic } from "@/api/types";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { ShareCard } from "./ShareCard";
import { TopicForm } from "./TopicForm";
import { TopicRow } from "./TopicRow";

/** What is open in the drawer: a new topic, one that is changed, or nothing. */
type Editing = Topic | "new" | null;

/** What is tracked, and how the posts divide between it. */
export function Topics() {
  const { search } = useView();
  const [editing, setEditing] = useState<Editing>(null);
  const query = useTopicsQuery();
  const topics = query.data;
  return (
    <div className="flex flex-col gap-4">
      {topics && topics.length > 0 && <ShareCard search={search} />}
      <Card
        title="Tracked topics"
        action={
          <Button onClick={() => setEditing("new")}>
            <Plus size={14} aria-hidden="true" />
            Add a topic
          </Button>
        }
      >
        {query.error && !topics ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !topics ? (
          <SkeletonRows rows={3} />
        ) : topics.length === 0 ? (
          <EmptyState title="No topic is tracked">
            <p>
              A topic is a query with a name: a brand, a product, a person. Every post is asked whether it is
              about it, and each figure can then be told for the topic alone.
            </p>
          </EmptyState>
        ) : (
          <ul className="-mx-4 -mb-4 border-t border-border text-sm">
            {topics.map((topic) => (
              <TopicRow key={topic.name} topic={topic} onEdit={() => setEditing(topic)} />
            ))}
          </ul>
        )}
      </Card>
      <Drawer
        title={editing === "new" ? "Add a topic" : "Change the topic"}
        open={editing !== null}
        onClose={() => setEditing(null)}
      >
        {editing !== null && (
          <TopicForm before={editing === "new" ? null : editing} onDone={() => setEditing(null)} />
        )}
      </Drawer>
    </div>
  );
}
