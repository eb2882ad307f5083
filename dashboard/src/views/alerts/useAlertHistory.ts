import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { getAlerts } from "@/api/endpoints";
import type { TimeWindow } from "@/lib/range";

const PAGE = 50;

/** The alerts that began in the window, newest first, page by page. */
export function useAlertHistory(window: TimeWindow) {
  const start = new Date(window.start).toISOString();
  const end = window.live ? undefined : new Date(window.end).toISOString();
  const query = useInfiniteQuery({
    queryKey: ["alerts", "history", start, end],
    queryFn: ({ pageParam, signal }) =>
      getAlerts({ limit: PAGE, cursor: pageParam, start_date: start, end_date: end }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const alerts = useMemo(() => query.data?.pages.flatMap((page) => page.alerts), [query.data]);
  return { query, alerts };
}
