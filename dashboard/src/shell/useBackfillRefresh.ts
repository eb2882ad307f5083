import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTopicsQuery } from "@/api/queries";

/** Refetches figures when stored posts have been matched with a topic. */
export function useBackfillRefresh(): void {
  const queries = useQueryClient();
  const topics = useTopicsQuery().data;
  const running = topics?.filter(({ backfill }) => backfill.running).map(({ name }) => name);
  const before = useRef<readonly string[]>([]);
  const key = running?.join();
  useEffect(() => {
    if (key === undefined) return;
    const now = key === "" ? [] : key.split(",");
    const ended = before.current.some((name) => !now.includes(name));
    before.current = now;
    if (ended) void queries.invalidateQueries();
  }, [key, queries]);
}
