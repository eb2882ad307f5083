import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { acknowledgeAlert } from "@/api/endpoints";
import { Button } from "@/ui/Button";
import { Field, FormError, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

/** Says that someone looks after an alert, and what others should know. */
export function AcknowledgeForm({ id, onDone }: { id: number; onDone: () => void }) {
  const queries = useQueryClient();
  const [note, setNote] = useState("");
  const save = useMutation({
    mutationFn: () => acknowledgeAlert(id, note.trim()),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["alerts"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <p className="text-sm text-quiet">Others see that you look after it, and it is not told again.</p>
      <Field label="Note" hint="May stay empty" error={fieldError(save.error, "note")}>
        {(ids) => (
          <textarea
            {...ids}
            value={note}
            maxLength={2_000}
            onChange={(event) => setNote(event.target.value)}
            className={`${inputClass} h-24 py-1.5`}
          />
        )}
      </Field>
      <FormError error={save.error} fields={["note"]} />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="solid" disabled={save.isPending}>
          Acknowledge
        </Button>
      </div>
    </form>
  );
}
