import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { addTopic, changeTopic } from "@/api/topics";
import type { Topic } from "@/api/types";
import { useDebounced } from "@/lib/useDebounced";
import { Button } from "@/ui/Button";
import { Field, FormError, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { Preview } from "./Preview";
import { QueryMistake } from "./QueryMistake";
import { usePreview } from "./usePreview";

const FIELDS = ["name", "query", "description"];

interface TopicFormProps {
  /** The topic that is changed; a new one otherwise. */
  before: Topic | null;
  onDone: () => void;
}

/** A name and a query, with what the query would match. */
export function TopicForm({ before, onDone }: TopicFormProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(before?.name ?? "");
  const [query, setQuery] = useState(before?.query ?? "");
  const [description, setDescription] = useState(before?.description ?? "");
  const [backfill, setBackfill] = useState(true);
  const field = useRef<HTMLTextAreaElement>(null);
  const preview = usePreview(useDebounced(query.trim(), 400));
  const save = useMutation({
    mutationFn: () =>
      before
        ? changeTopic(before, { query, description })
        : addTopic({ name: name.trim(), query, description, backfill }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["topics"] });
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const mistake = preview.mistake;
  const goTo = (position: number) => {
    field.current?.focus();
    const at = Array.from(query)
      .slice(0, position - 1)
      .join("").length;
    field.current?.setSelectionRange(at, at + 1);
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field
        label="Name"
        hint={before ? "Links and filters use it, so it stays." : "a-z, 0-9, _ . -, as acme-phone"}
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
          'Words, "phrases", #tags, @names and beginnings* that must all occur; OR, -not, ( ), lang: source: author:'
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
      {!before && (
        <label className="flex items-center gap-2 text-sm">
          <input
            type="checkbox"
            checked={backfill}
            onChange={(event) => setBackfill(event.target.checked)}
            className="size-4 accent-(--color-focus)"
          />
          Match the posts that are stored already
        </label>
      )}
      <FormError error={save.error} fields={FIELDS} />
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" look="solid" disabled={save.isPending || mistake !== null}>
          {before ? "Save" : "Track it"}
        </Button>
      </div>
    </form>
  );
}
