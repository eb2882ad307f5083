import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { getAlerts } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { TimeWindow } from "@/lib/range";

const PAGE = 50;

/** The alerts that started in the window, newest first, page by page. */
export function useAlertHistory(window: TimeWindow) {
  const filter = {
    limit: PAGE,
    start_date: new Date(window.start).toISOString(),
    end_date: window.live ? undefined : new Date(window.end).toISOString(),
  };
  const query = useInfiniteQuery({
    queryKey: keys.alerts.history(filter),
    queryFn: ({ pageParam, signal }) => getAlerts({ ...filter, cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
  });
  const alerts = useMemo(() => query.data?.pages.flatMap((page) => page.alerts), [query.data]);
  return { query, alerts };
}
