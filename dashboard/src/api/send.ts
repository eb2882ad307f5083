import { api, dataOf } from "./client";

type Method = "GET" | "POST" | "PUT" | "DELETE";

interface Sent {
  body?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Sends a request to a path that the OpenAPI document does not have yet. */
export function send<T>(method: Method, path: string, options: Sent = {}): Promise<T> {
  const call = api[method] as unknown as (
    path: string,
    options: Sent,
  ) => Promise<{ data?: T; error?: unknown; response: Response }>;
  return dataOf(call(path, options));
}
