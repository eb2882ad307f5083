import { ApiError } from "@/api/client";

/** Whether the requested item does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 404 || error.status === 400);
}
