import { useRef, useState } from "react";
import { keys } from "@/api/keys";
import { addTopic, changeTopic } from "@/api/topics";
import type { Topic } from "@/api/types";
import { slugOf } from "@/lib/slug";
import { useDebounced } from "@/lib/useDebounced";
import { CheckBox } from "@/ui/CheckBox";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { Preview } from "./Preview";
import { QueryMistake } from "./QueryMistake";
import { usePreview } from "./usePreview";

const FIELDS = ["name", "query", "description"];

interface TopicFormProps {
  /** The topic to edit, or `null` for a new one. */
  before: Topic | null;
  onDone: () => void;
}

/** The form of a topic with a preview of its matches. */
export function TopicForm({ before, onDone }: TopicFormProps) {
  const [name, setName] = useState(before?.name ?? "");
  const [query, setQuery] = useState(before?.query ?? "");
  const [description, setDescription] = useState(before?.description ?? "");
  const [backfill, setBackfill] = useState(true);
  const slug = slugOf(name);
  const field = useRef<HTMLTextAreaElement>(null);
  const preview = usePreview(useDebounced(query.trim(), 400));
  const save = useSave({
    save: () =>
      before
        ? changeTopic(before, { query, description })
        : addTopic({ name: slugOf(name), query, description, backfill }),
    invalidates: [keys.topics.all],
    onDone,
  });
  const mistake = preview.mistake;
  const goTo = (position: number) => {
    field.current?.focus();
    const at = Array.from(query)
      .slice(0, position - 1)
      .join("").length;
    field.current?.setSelectionRange(at, at + 1);
  };
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <Field
        label="Name"
        hint={
          before
            ? "The name cannot be changed, because links use it."
            : slug !== "" && slug !== name
              ? `Will be saved as ${slug}`
              : "For example Acme Phone"
        }
        error={fieldError(save.error, "name")}
      >
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={64}
            disabled={before !== null}
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
            required
          />
        )}
      </Field>
      <Field
        label="Query"
        hint={
          'All of: words, "phrases", #tags, @names, prefix*. Also: OR, -not, ( ), NEAR/5, {Exact}, raw:"C++", lang:, source:, author:, site:'
        }
        error={mistake ? undefined : fieldError(save.error, "query")}
      >
        {(ids) => (
          <textarea
            {...ids}
            ref={field}
            dir="auto"
            spellCheck={false}
            value={query}
            placeholder={'"acme phone" OR #acme -giveaway'}
            onChange={(event) => setQuery(event.target.value)}
            className={`${inputClass} h-24 py-1.5 font-mono`}
            required
          />
        )}
      </Field>
      {mistake && <QueryMistake query={query} mistake={mistake} onGo={goTo} />}
      <Preview preview={preview} />
      <Field label="Description" error={fieldError(save.error, "description")}>
        {(ids) => (
          <input
            {...ids}
            value={description}
            maxLength={1_000}
            onChange={(event) => setDescription(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      {before ? (
        <p className="text-xs text-quiet">Stored posts are matched again when the query changes.</p>
      ) : (
        <CheckBox checked={backfill} onChange={setBackfill}>
          Also match stored posts
        </CheckBox>
      )}
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons
        submit={before ? "Save" : "Add topic"}
        pending={save.pending}
        disabled={mistake !== null || (!before && slug === "")}
        onCancel={onDone}
      />
    </form>
  );
}
