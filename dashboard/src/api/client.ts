import createClient from "openapi-fetch";
import type { paths } from "./schema";
import { readToken } from "./session";
import type { Problem } from "./types";

/** Why the API did not answer as hoped, in words for a person. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Seconds after which the server suggests to try again. */
    readonly retryAfter: number | null = null,
    /** What is wrong with what was sent, field by field. */
    readonly fields: readonly { field: string; message: string }[] = [],
  ) {
    super(detail || title);
    this.name = "ApiError";
  }

  /** Status 0: no answer came at all. */
  get unreachable(): boolean {
    return this.status === 0;
  }

  /** Trying again can help by itself. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The API with its paths, parameters and answers as the OpenAPI document has them. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: async (request) => {
    const token = readToken();
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    return fetch(request).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, "No answer", "The server cannot be reached. It may be restarting.");
    });
  },
});

/** The header of a change: it is refused when what it was made from is not what is there any more. */
export function ifMatch(version: number): { "If-Match": string } {
  return { "If-Match": `"${version}"` };
}

/** The data of an answer, or an `ApiError`. */
export async function dataOf<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw errorOf(response, error);
  return data as T;
}

function errorOf(response: Response, body: unknown): ApiError {
  const problem: Partial<Problem> = typeof body === "object" && body !== null ? body : {};
  const fields = (problem.errors ?? []).map(({ field, message }) => `${field}: ${message}`).join("; ");
  // The detail usually names the fields already.
  const detail = problem.detail || fields;
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError(
    response.status,
    problem.title ?? `The server answered ${response.status}`,
    detail,
    retryAfter > 0 ? retryAfter : null,
    problem.errors ?? [],
  );
}
