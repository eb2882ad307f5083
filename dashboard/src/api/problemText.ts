import { isScope, WHO_MAY } from "@/lib/roles";
import { ApiError } from "./client";

/** A description of a problem for users: what happened and what to do. */
export interface ProblemText {
  title: string;
  advice: string;
}

const TITLES: Partial<Record<number, string>> = {
  0: "Server unreachable",
  400: "The request is invalid",
  401: "Sign in to continue",
  403: "You are not allowed to do this",
  404: "Not found",
  409: "This is not possible at the moment",
  412: "This was changed elsewhere",
  413: "The request is too large",
  422: "Check your input",
  429: "Too many requests",
  503: "The service is temporarily unavailable",
};

/** Describes any error. The text may contain the server's detail. It never contains the server's title. */
export function problemText(error: unknown): ProblemText {
  if (!(error instanceof ApiError)) {
    return { title: "Something went wrong", advice: "Reload the page and try again." };
  }
  const title =
    TITLES[error.status] ?? (error.status >= 500 ? "The server reported an error" : "The request failed");
  const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  return { title, advice: `${adviceOf(error)}${wait}` };
}

function adviceOf({ status, detail, fields }: ApiError): string {
  if (status === 412) return "Reload the page to see the latest version, then try again.";
  if (status === 500) return "Try again. If it happens again, check the server's log.";
  if (status === 403) return whoMay(detail) ?? (asSentence(detail) || "Ask an administrator.");
  if (fields.length > 0) return fields.map(({ message }) => asSentence(message)).join(" ");
  return asSentence(detail) || "Try again.";
}

/** Who has the scope that a request lacked. */
function whoMay(detail: string): string | undefined {
  const scope = /lacks the scope (\w+)/.exec(detail)?.[1];
  return scope && isScope(scope) ? `Only ${WHO_MAY[scope]} can do this.` : undefined;
}

/** Capitalises a text and ends it with a full stop. */
export function asSentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const start = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
