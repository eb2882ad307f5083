import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { getManagedSource, useFeedsQuery, useSourceKindsQuery } from "@/api/sources";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { FirstRun } from "@/shell/FirstRun";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { SendPosts } from "./SendPosts";
import { SourceForm } from "./SourceForm";
import { SourceRow } from "./SourceRow";

/** The source in the drawer: a new source, the name of an added source, or none. */
type Editing = { name: string } | "new" | null;

/** The sources: their state, and adding, changing, pausing and deleting them. */
export function Sources() {
  const query = useFeedsQuery();
  const [editing, setEditing] = useState<Editing>(null);
  const now = useNow(5_000);
  const add = (
    <Allowed scope="edit">
      <Button look="solid" onClick={() => setEditing("new")}>
        <Plus size={14} aria-hidden="true" />
        Add source
      </Button>
    </Allowed>
  );
  return (
    <>
      <FirstRun />
      <div className="flex flex-col gap-4">
        <Card title="Sources" action={add}>
          <ReadOnlyNote scope="edit" what="sources" />
          {query.error && !query.data ? (
            <ErrorState error={query.error} retry={() => void query.refetch()} />
          ) : !query.data ? (
            <SkeletonRows rows={3} />
          ) : query.data.feeds.length === 0 ? (
            <EmptyState title="No sources">
              <p>
                Add a web page, a feed, an account, a community, a repository or a video. The server starts to
                read it within seconds.
              </p>
            </EmptyState>
          ) : (
            <ul className="-mx-4 -mb-4 border-t border-border text-sm">
              {query.data.feeds.map((feed) => (
                <SourceRow
                  key={feed.name}
                  feed={feed}
                  managed={query.data.managed.has(feed.name)}
                  now={now}
                  onEdit={() => setEditing({ name: feed.name })}
                />
              ))}
            </ul>
          )}
        </Card>
        <Allowed scope="write">
          <SendPosts />
        </Allowed>
      </div>
      <Drawer
        title={editing === "new" ? "Add source" : "Edit source"}
        open={editing !== null}
        onClose={() => setEditing(null)}
      >
        {editing !== null && <Form editing={editing} onDone={() => setEditing(null)} />}
      </Drawer>
    </>
  );
}

/** Loads the kinds of sources and the edited source, then shows the form. */
function Form({ editing, onDone }: { editing: Exclude<Editing, null>; onDone: () => void }) {
  const kinds = useSourceKindsQuery();
  const name = editing === "new" ? null : editing.name;
  const before = useQuery({
    queryKey: keys.feeds.one(name),
    queryFn: ({ signal }) => getManagedSource(name ?? "", signal),
    enabled: name !== null,
    staleTime: 0,
    gcTime: 0,
  });
  const error = kinds.error ?? before.error;
  if (error) return <ErrorState error={error} />;
  if (!kinds.data || (name !== null && !before.data)) return <SkeletonRows rows={4} />;
  return <SourceForm kinds={kinds.data} before={before.data ?? null} onDone={onDone} />;
}
