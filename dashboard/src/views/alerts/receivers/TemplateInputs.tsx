import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "@/api/client";
import { keys } from "@/api/keys";
import { previewMessage } from "@/api/notify";
import type { Channel, Templates } from "@/api/types";
import { useDebounced } from "@/lib/useDebounced";
import { Button } from "@/ui/Button";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { ErrorState } from "@/ui/states";

const TITLE = "{{ status | upper }}: {{ commonLabels.alertname }}";
const TEXT =
  "{% for alert in alerts %}{{ alert.details.sentence }}\n{{ alert.details.posts_url }}\n{% endfor %}";

interface TemplateInputsProps {
  channel: Channel;
  templates: Templates;
  onChange: (templates: Templates) => void;
  error: unknown;
}

/** The message templates of a receiver, with a preview of an example message. */
export function TemplateInputs({ channel, templates, onChange, error }: TemplateInputsProps) {
  const [open, setOpen] = useState(!isEmpty(templates));
  const settled = useDebounced(JSON.stringify({ channel, templates }), 300);
  const preview = useQuery({
    queryKey: keys.receivers.preview(settled),
    queryFn: ({ signal }) => previewMessage(JSON.parse(settled), signal),
    enabled: open,
    retry: false,
    placeholderData: keepPreviousData,
  });
  const at = (name: string) => fieldError(error, name) ?? fieldError(preview.error, name);
  const field = (name: "title" | "text", label: string) => (
    <Field label={label} hint="Leave empty for the default text" error={at(`templates.${name}`)}>
      {(ids) => (
        <textarea
          {...ids}
          value={templates[name] ?? ""}
          maxLength={10_000}
          spellCheck={false}
          onChange={(event) => onChange({ ...templates, [name]: event.target.value || null })}
          className={`${inputClass} ${name === "title" ? "h-14" : "h-32"} py-1.5 font-mono text-xs`}
        />
      )}
    </Field>
  );
  return (
    <details
      className="rounded-md border border-border"
      open={open}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className="px-3 py-2 text-sm pointer-coarse:py-3">Message text</summary>
      <div className="flex flex-col gap-4 px-3 pt-1 pb-3">
        {field("title", "Title template")}
        {field("text", "Text template")}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <p className="text-xs text-quiet">Templates use the syntax of Jinja.</p>
          <Button onClick={() => onChange({ title: TITLE, text: TEXT })}>Insert example</Button>
        </div>
        <Preview query={preview} />
      </div>
    </details>
  );
}

interface PreviewProps {
  query: { data: { title: string; text: string } | undefined; error: unknown; refetch: () => unknown };
}

/** The message of an example alert. */
function Preview({ query: { data, error, refetch } }: PreviewProps) {
  // Errors of a template appear at its field.
  const isInvalid = error instanceof ApiError && error.fields.length > 0;
  return (
    <section aria-label="Preview" className="rounded-md bg-raised px-3 py-2 text-sm">
      <h4 className="mb-1 text-xs text-quiet">Preview for an example alert</h4>
      {isInvalid ? (
        <p className="text-quiet">No preview: a setting or a template is invalid.</p>
      ) : error ? (
        <ErrorState error={error} retry={() => void refetch()} />
      ) : data ? (
        <>
          <p className="font-medium [overflow-wrap:anywhere]">{data.title}</p>
          <p className="whitespace-pre-wrap [overflow-wrap:anywhere]">{data.text}</p>
        </>
      ) : (
        <p className="text-quiet">Loading</p>
      )}
    </section>
  );
}

/** Whether both texts are the default ones. */
export function isEmpty({ title, text }: Templates): boolean {
  return !title && !text;
}
