import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { getDeadLetters, purgeDeadLetters, replayDeadLetters } from "@/api/endpoints";
import { keys } from "@/api/keys";
import type { Selection } from "@/api/types";

/** The dead letters, newest first, and the actions on them. */
export function useDeadLetters() {
  const queries = useQueryClient();
  const query = useInfiniteQuery({
    queryKey: keys.deadLetters.list,
    queryFn: ({ pageParam, signal }) => getDeadLetters(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: 10_000,
  });
  const onSuccess = () => {
    void queries.invalidateQueries({ queryKey: keys.deadLetters.all });
    void queries.invalidateQueries({ queryKey: keys.system.all });
  };
  const replay = useMutation({
    mutationFn: (selection: Selection) => replayDeadLetters(selection),
    onSuccess,
  });
  const purge = useMutation({ mutationFn: (selection: Selection) => purgeDeadLetters(selection), onSuccess });
  const letters = query.data?.pages.flatMap((page) => page.dead_letters);
  return { query, letters, total: query.data?.pages[0]?.total ?? 0, replay, purge };
}
