import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { ApiToken, ApiTokenDraft, CreatedToken } from "./types";

/** API calls for access tokens of programs. */

/** The tokens that were created at run time. The configuration may define others. */
export function useTokensQuery() {
  return useQuery({
    queryKey: keys.tokens.all,
    queryFn: async ({ signal }): Promise<ApiToken[]> =>
      (await dataOf(api.GET("/api/tokens", { signal }))).tokens,
  });
}

/** Creates a token. Only this response contains its text. */
export function createToken(body: ApiTokenDraft): Promise<CreatedToken> {
  return dataOf(api.POST("/api/tokens", { body }));
}

export async function deleteToken(id: number): Promise<void> {
  await dataOf(api.DELETE("/api/tokens/{id}", { params: { path: { id } } }));
}
