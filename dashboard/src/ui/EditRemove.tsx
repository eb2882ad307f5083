import type { UseMutationResult } from "@tanstack/react-query";
import { Button } from "./Button";
import { ConfirmButton } from "./ConfirmButton";

interface EditRemoveProps {
  /** The name of the object, for screen readers. */
  name: string;
  /** The question of the confirmation. */
  title?: string;
  /** The consequences of the removal, in a sentence. */
  text: string;
  remove: Pick<UseMutationResult<unknown, Error, void>, "isPending" | "error" | "mutate">;
  onEdit: () => void;
}

/** The actions of an object in a list: edit, and remove after a confirmation. */
export function EditRemove({ name, title = `Remove ${name}?`, text, remove, onEdit }: EditRemoveProps) {
  return (
    <>
      <Button onClick={onEdit} aria-label={`Edit ${name}`}>
        Edit
      </Button>
      <ConfirmButton
        action="Remove"
        title={title}
        text={text}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate()}
      />
    </>
  );
}
