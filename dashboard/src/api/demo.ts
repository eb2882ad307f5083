import { useQuery } from "@tanstack/react-query";
import { api, dataOf } from "./client";
import { keys } from "./keys";
import type { Demo } from "./types";

/** API calls for the demonstration. */

export function getDemo(signal: AbortSignal): Promise<Demo> {
  return dataOf(api.GET("/api/demo", { signal }));
}

export function removeDemo(): Promise<Demo> {
  return dataOf(api.DELETE("/api/demo"));
}

/** Whether the demonstration is being filled or removed. */
export function isDemoBusy({ state }: Demo): boolean {
  return state === "filling" || state === "evaluating" || state === "removing";
}

/** The state of the demonstration, polled every second while it changes. */
export function useDemoQuery() {
  return useQuery({
    queryKey: keys.demo.all,
    queryFn: ({ signal }) => getDemo(signal),
    refetchInterval: ({ state }) => (state.data && isDemoBusy(state.data) ? 1_000 : 60_000),
  });
}
