import { type ReactNode, useId } from "react";
import { ApiError } from "@/api/client";
import { asSentence, problemText } from "@/api/problemText";

interface FieldProps {
  label: string;
  /** Help for the field. */
  hint?: ReactNode;
  error?: string | undefined;
  /** Renders the control with the ids that connect it to its label and hint. */
  children: (ids: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ReactNode;
}

/** A labelled control of a form with its hint or error. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const about = `${id}-about`;
  return (
    <div className="flex min-w-0 flex-col gap-1 text-sm">
      <label htmlFor={id} className="text-xs text-quiet">
        {label}
      </label>
      {children({ id, "aria-describedby": about, "aria-invalid": error !== undefined })}
      <p id={about} className="text-xs text-quiet empty:hidden">
        {error ? <span className="text-text">▼ {error}</span> : hint}
      </p>
    </div>
  );
}

/** The server's error for a field or a field nested in it, as a sentence. */
export function fieldError(error: unknown, name: string): string | undefined {
  const message = fieldMessage(error, name);
  return message === undefined ? undefined : asSentence(message);
}

/** The server's error for a field or a field nested in it, unchanged. */
export function fieldMessage(error: unknown, name: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const found = error.fields.find(({ field }) => isWithin(field, name));
  if (!found) return undefined;
  const rest = found.field.slice(name.length).replace(/^\./, "");
  return rest === "" ? found.message : `${rest}: ${found.message}`;
}

/** The error of a form, with the errors of fields that the form does not show. */
export function FormError({ error, fields }: { error: unknown; fields: readonly string[] }) {
  if (!error) return null;
  const elsewhere =
    error instanceof ApiError ? error.fields.filter(({ field }) => !isShown(field, fields)) : [];
  const highlighted = error instanceof ApiError && error.fields.length > elsewhere.length;
  const { title, advice } = problemText(error);
  return (
    <div role="alert" className="text-sm">
      {highlighted || elsewhere.length > 0 ? (
        <p>Check {highlighted ? "the highlighted fields" : "your input"}.</p>
      ) : (
        <p>
          {title}. {advice}
        </p>
      )}
      {elsewhere.map(({ field, message }) => (
        <p key={field}>▼ {asSentence(`${field.replaceAll("_", " ")}: ${message}`)}</p>
      ))}
    </div>
  );
}

/** Whether `field` is one of `fields`, or nested in one of them. */
export function isShown(field: string, fields: readonly string[]): boolean {
  return fields.some((name) => isWithin(field, name));
}

/** Whether `field` is `name`, or nested in it: `channel.url`, `channel.to[0]`. */
function isWithin(field: string, name: string): boolean {
  return field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`);
}
