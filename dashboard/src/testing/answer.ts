/** A response of the fake server. */
export interface Answer {
  status: number;
  json?: unknown;
  headers?: Record<string, string>;
}

/** A successful response. */
export function ok(json: unknown): Answer {
  return { status: 200, json };
}

/** A time in the format of the API. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}
