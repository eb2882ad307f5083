import { useState } from "react";
import { useSessionQuery } from "@/api/access";
import { keys } from "@/api/keys";
import { saveSilence } from "@/api/notify";
import type { Matcher, Silence } from "@/api/types";
import { zone } from "@/lib/format";
import { fromLocalInput, toLocalInput } from "@/lib/localInput";
import { DAY, HOUR } from "@/lib/range";
import { writtenOf } from "@/lib/written";
import { Choice } from "@/ui/Choice";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { MatcherInputs } from "./MatcherInputs";

const LENGTHS = [
  { value: String(HOUR), label: "1 h" },
  { value: String(4 * HOUR), label: "4 h" },
  { value: String(DAY), label: "1 d" },
  { value: String(7 * DAY), label: "7 d" },
] as const;
const FIELDS = ["matchers", "starts_at", "ends_at", "author", "comment"];

interface SilenceFormProps {
  /** The silence to edit, or `null` for a new one. */
  before: Silence | null;
  /** The initial conditions of a new silence. */
  matchers?: Matcher[];
  onDone: () => void;
}

/** The form of a silence. */
export function SilenceForm({ before, matchers, onDone }: SilenceFormProps) {
  const user = useSessionQuery().data?.user;
  const [draft, setDraft] = useState(() => draftOf(before, user?.name ?? "", matchers));
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part });
  const save = useSave({
    save: () =>
      saveSilence(
        {
          ...keptOf(before),
          matchers: draft.matchers,
          starts_at: fromLocalInput(draft.from) ?? "",
          ends_at: fromLocalInput(draft.until) ?? "",
          author: draft.author.trim(),
          comment: draft.comment.trim(),
        },
        before,
      ),
    invalidates: [keys.silences.all],
    onDone,
  });
  const lasts = Date.parse(draft.until) - Date.parse(draft.from);
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <MatcherInputs
        matchers={draft.matchers}
        onChange={(matchers) => change({ matchers })}
        error={fieldError(save.error, "matchers")}
      />
      <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
        <Field label="From" error={fieldError(save.error, "starts_at")}>
          {(ids) => (
            <input
              {...ids}
              type="datetime-local"
              value={draft.from}
              onChange={(event) => change({ from: event.target.value })}
              className={inputClass}
              required
            />
          )}
        </Field>
        <Field label="Until" error={fieldError(save.error, "ends_at")}>
          {(ids) => (
            <input
              {...ids}
              type="datetime-local"
              value={draft.until}
              onChange={(event) => change({ until: event.target.value })}
              className={inputClass}
              required
            />
          )}
        </Field>
      </div>
      <div className="-mt-2 flex flex-wrap items-center justify-between gap-2 text-xs text-quiet">
        Times in {zone()}
        <Choice
          label="Duration"
          value={LENGTHS.find(({ value }) => Number(value) === lasts)?.value ?? null}
          options={LENGTHS}
          onChange={(value) => change({ until: toLocalInput(Date.parse(draft.from) + Number(value)) })}
        />
      </div>
      <Field label="Your name" error={fieldError(save.error, "author")}>
        {(ids) => (
          <input
            {...ids}
            value={draft.author}
            maxLength={100}
            autoComplete="name"
            onChange={(event) => change({ author: event.target.value })}
            className={inputClass}
            required
          />
        )}
      </Field>
      <Field label="Reason" error={fieldError(save.error, "comment")}>
        {(ids) => (
          <textarea
            {...ids}
            value={draft.comment}
            maxLength={1_000}
            onChange={(event) => change({ comment: event.target.value })}
            className={`${inputClass} h-20 py-1.5`}
            required
          />
        )}
      </Field>
      <FormError error={save.error} fields={FIELDS} />
      <FormButtons submit={before ? "Save" : "Silence"} pending={save.pending} onCancel={onDone} />
    </form>
  );
}

/** The fields of a stored silence that the form does not show. They are saved unchanged. */
function keptOf(before: Silence | null) {
  if (!before) return {};
  const { state: _, ...written } = writtenOf(before);
  return written;
}

interface Draft {
  matchers: Matcher[];
  from: string;
  until: string;
  author: string;
  comment: string;
}

function draftOf(before: Silence | null, author: string, matchers?: Matcher[]): Draft {
  if (before) {
    return {
      matchers: before.matchers,
      from: toLocalInput(Date.parse(before.starts_at)),
      until: toLocalInput(Date.parse(before.ends_at)),
      author: before.author,
      comment: before.comment,
    };
  }
  const now = Date.now();
  return {
    matchers: matchers ?? [{ label: "alertname", op: "=", value: "" }],
    from: toLocalInput(now),
    until: toLocalInput(now + HOUR),
    author,
    comment: "",
  };
}
