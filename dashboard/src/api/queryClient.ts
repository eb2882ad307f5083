import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "./client";
import { askToSignIn } from "./session";

/** Creates the query client. It retries transient errors and refetches when the window gets focus. */
export function createQueries(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError: noticeUnauthorized }),
    mutationCache: new MutationCache({ onError: noticeUnauthorized }),
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        refetchInterval: 30_000,
        refetchOnWindowFocus: true,
        retry: (failures, error) => failures < 3 && !(error instanceof ApiError && !error.transient),
        retryDelay: (failures) => Math.min(500 * 2 ** failures, 8_000),
        networkMode: "always",
      },
    },
  });
}

function noticeUnauthorized(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) askToSignIn(error.detail || error.title);
}
