import { useState } from "react";
import { acknowledgeAlert } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";

interface AcknowledgeFormProps {
  id: number;
  before: string;
  onDone: () => void;
}

/** The form for the note of an acknowledged alert. */
export function AcknowledgeForm({ id, before, onDone }: AcknowledgeFormProps) {
  const [note, setNote] = useState(before);
  const save = useSave({
    save: () => acknowledgeAlert(id, note.trim()),
    invalidates: [keys.alerts.all],
    onDone,
  });
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <p className="text-sm text-quiet">Visible to everyone who opens this alert.</p>
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
      <FormButtons submit="Save" pending={save.pending} onCancel={onDone} />
    </form>
  );
}
