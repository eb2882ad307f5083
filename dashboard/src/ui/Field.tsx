import { type ReactNode, useId } from "react";
import { ApiError } from "@/api/client";

interface FieldProps {
  label: string;
  /** What belongs into it, or what is wrong with what stands there. */
  hint?: ReactNode;
  error?: string | undefined;
  /** Gets the ids that tie label, control and hint together. */
  children: (ids: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ReactNode;
}

/** A labelled control of a form, with its hint or what the server said of it. */
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

/** What the server said of a field, or of one inside it. */
export function fieldError(error: unknown, name: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const found = error.fields.find(({ field }) => field === name || field.startsWith(`${name}.`));
  if (!found) return undefined;
  return found.field === name ? found.message : `${found.field.slice(name.length + 1)}: ${found.message}`;
}

/** Why a form was not accepted, where no field of it says so. */
export function FormError({ error, fields }: { error: unknown; fields: readonly string[] }) {
  if (!error || fields.some((name) => fieldError(error, name) !== undefined)) return null;
  return (
    <p role="alert" className="text-sm">
      {error instanceof ApiError ? `${error.title}. ${error.detail}` : "That did not work. Try again."}
    </p>
  );
}
