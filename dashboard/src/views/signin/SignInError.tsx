import { ApiError } from "@/api/client";
import { asSentence, problemText } from "@/api/problemText";
import { isShown } from "@/ui/Field";

interface SignInErrorProps {
  error: unknown;
  /** Seconds until the next attempt is accepted. */
  wait: number;
  /** The message for a wrong name, password or code. */
  refused: string;
  /** The fields of the form that show their own errors. */
  fields?: readonly string[];
}

/** Why signing in failed. */
export function SignInError({ error, wait, refused, fields = [] }: SignInErrorProps) {
  if (!error) return null;
  return (
    <p role="alert" className="rounded-md border border-negative px-3 py-2 text-sm">
      <span aria-hidden="true" className="text-negative">
        ▼{" "}
      </span>
      {textOf(error, refused, fields)}
      {wait > 0 && <span className="tabular"> Try again in {wait} s.</span>}
    </p>
  );
}

function textOf(error: unknown, refused: string, fields: readonly string[]): string {
  if (!(error instanceof ApiError)) return "Something went wrong. Reload the page and try again.";
  if (error.status === 401) return refused;
  if (error.status === 429) return "Too many attempts.";
  if (error.status === 503) return "The server is busy.";
  if (error.status === 403 && error.detail) return asSentence(error.detail);
  if (error.fields.some(({ field }) => isShown(field, fields))) return "Check the highlighted fields.";
  const { title, advice } = problemText(error);
  return `${title}. ${advice}`;
}
