import { useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { isNamed, nameOf } from "./authorNames";

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** The name of an author: the handle of a Bluesky account if it is known, otherwise the stored author. */
export function useAuthorName(author: string): string {
  const { data } = useQuery({
    queryKey: keys.authors.name(author),
    queryFn: () => nameOf(author),
    enabled: isNamed(author),
    staleTime: ({ state }) => (state.data ? HOUR : MINUTE),
    refetchInterval: false,
    refetchOnWindowFocus: false,
    retry: false,
  });
  return data ?? author;
}
