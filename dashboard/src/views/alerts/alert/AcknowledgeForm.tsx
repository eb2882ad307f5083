import { useState } from "react";
import { acknowledgeAlert } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";

/** Acknowledges an alert with an optional note. */
export function AcknowledgeForm({ id, onDone }: { id: number; onDone: () => void }) {
  const [note, setNote] = useState("");
  const save = useSave({
    save: () => acknowledgeAlert(id, note.trim()),
    invalidates: [keys.alerts.all],
    onDone,
  });
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <p className="text-sm text-quiet">You own this alert; reminders stop.</p>
      <Field label="Note" hint="Optional" error={fieldError(save.error, "note")}>
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
      <FormButtons submit="Acknowledge" pending={save.pending} onCancel={onDone} />
    </form>
  );
}
