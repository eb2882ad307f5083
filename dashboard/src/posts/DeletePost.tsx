import { Trash2 } from "lucide-react";
import { deletePost } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { Allowed } from "@/shell/Allowed";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";

/** Deletes a post permanently, after a confirmation. */
export function DeletePost({ id, onDeleted }: { id: string; onDeleted: () => void }) {
  const mutation = useChange(() => deletePost(id), [keys.posts.all], onDeleted);
  return (
    <Allowed scope="admin">
      <ConfirmButton
        title="Delete this post?"
        text="The post is removed from every list and count. If a source sends it again, it stays deleted."
        action="Delete"
        icon={<Trash2 size={14} aria-hidden="true" />}
        pending={mutation.isPending}
        error={mutation.error}
        onConfirm={() => mutation.mutate()}
      />
    </Allowed>
  );
}
