import { api, dataOf } from "./client";
import type { paths } from "./schema";
import type { Insight } from "./types";

/** API calls for insights. */

export type InsightQuery = NonNullable<paths["/api/insights/explain"]["get"]["parameters"]["query"]>;

/** The changes between two ranges, and the words, sources, authors and texts that explain them. */
export function getInsight(query: InsightQuery, signal: AbortSignal): Promise<Insight> {
  return dataOf(api.GET("/api/insights/explain", { params: { query }, signal }));
}
