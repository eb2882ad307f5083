import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { deletePost } from "@/api/endpoints";
import { ConfirmButton } from "@/ui/ConfirmButton";

/** Deletes a post for good, after a question. */
export function DeletePost({ id, onDeleted }: { id: string; onDeleted: () => void }) {
  const queries = useQueryClient();
  const mutation = useMutation({
    mutationFn: () => deletePost(id),
    onSuccess: () => {
      onDeleted();
      void queries.invalidateQueries({ queryKey: ["posts"] });
    },
  });
  return (
    <ConfirmButton
      title="Delete this post?"
      text="It disappears from every list and count, and a late copy does not bring it back."
      action="Delete"
      icon={<Trash2 size={14} aria-hidden="true" />}
      pending={mutation.isPending}
      error={mutation.error}
      onConfirm={() => mutation.mutate()}
    />
  );
}
