import createClient from "openapi-fetch";
import type { paths } from "./schema";
import { readToken } from "./session";
import type { Problem } from "./types";

/** An API call that failed. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    /** Seconds to wait before a retry, if the server sent them. */
    readonly retryAfter: number | null = null,
    /** Validation errors by field. */
    readonly fields: readonly { field: string; message: string }[] = [],
  ) {
    super(detail || title);
    this.name = "ApiError";
  }

  /** Whether no response arrived (status 0). */
  get unreachable(): boolean {
    return this.status === 0;
  }

  /** Whether a retry can succeed. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The API client, typed by the OpenAPI document. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: async (request) => {
    const token = readToken();
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    return fetch(request).catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, "Server unreachable", "The server may be restarting. Try again in a moment.");
    });
  },
});

/** The header of an update. The server rejects the update if the item has changed since it was read. */
export function ifMatch(version: number): { "If-Match": string } {
  return { "If-Match": `"${version}"` };
}

/** Returns the data of a response or throws an `ApiError`. */
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
  // The detail usually contains the field errors.
  const detail = problem.detail || fields;
  const retryAfter = Number(response.headers.get("Retry-After"));
  return new ApiError(
    response.status,
    problem.title ?? `Request failed with status ${response.status}`,
    detail,
    retryAfter > 0 ? retryAfter : null,
    problem.errors ?? [],
  );
}
