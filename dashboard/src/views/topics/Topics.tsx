import { Plus } from "lucide-react";
import { useState } from "react";
import { useTopicsQuery } from "@/api/queries";
import type { Topic } from "@/api/types";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { useView } from "@/shell/useView";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { FollowBrand } from "./FollowBrand";
import { ShareCard } from "./ShareCard";
import { TopicFindings } from "./TopicFindings";
import { TopicForm } from "./TopicForm";
import { TopicRow } from "./TopicRow";

/** The content of the drawer: a topic, the form of a new topic or brand, or `null` while it is closed. */
type Editing = Topic | "new" | "brand" | null;

/** The topics view. */
export function Topics() {
  const { search } = useView();
  const [editing, setEditing] = useState<Editing>(null);
  const query = useTopicsQuery();
  const topics = query.data;
  return (
    <div className="flex flex-col gap-4">
      {topics && topics.length > 0 && (
        <>
          <TopicFindings topics={topics} search={search} />
          <ShareCard search={search} />
        </>
      )}
      <Card
        title="Tracked topics"
        action={
          <Allowed scope="edit">
            <span className="flex flex-wrap gap-2">
              <Button look="solid" onClick={() => setEditing("brand")}>
                Follow a brand
              </Button>
              <Button onClick={() => setEditing("new")}>
                <Plus size={14} aria-hidden="true" />
                Add topic
              </Button>
            </span>
          </Allowed>
        }
      >
        <ReadOnlyNote scope="edit" what="topics" />
        {query.error && !topics ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !topics ? (
          <SkeletonRows rows={3} />
        ) : topics.length === 0 ? (
          <EmptyState title="No topics">
            <p>
              A topic is a named query for a brand, a product or a person. Every view can be filtered by
              topic, and topics can be compared.
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
      <Drawer title={titleOf(editing)} open={editing !== null} onClose={() => setEditing(null)}>
        {editing === "brand" && <FollowBrand onDone={() => setEditing(null)} />}
        {editing !== null && editing !== "brand" && (
          <TopicForm before={editing === "new" ? null : editing} onDone={() => setEditing(null)} />
        )}
      </Drawer>
    </div>
  );
}

function titleOf(editing: Editing): string {
  if (editing === "brand") return "Follow a brand";
  return editing === "new" ? "Add topic" : "Edit topic";
}
