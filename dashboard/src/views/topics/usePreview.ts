import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import { previewTopic } from "@/api/topics";
import type { TopicPreview } from "@/api/types";
import { fieldMessage } from "@/ui/Field";
import { type Mistake, mistakeOf } from "./mistake";

export interface PreviewState {
  data: TopicPreview | undefined;
  /** The syntax error of the query. */
  mistake: Mistake | null;
  error: unknown;
}

/** The matches of a query, updated while it is typed. */
export function usePreview(query: string): PreviewState {
  const { data, error } = useQuery({
    queryKey: keys.topics.preview(query),
    queryFn: ({ signal }) => previewTopic(query, signal),
    enabled: query !== "",
    placeholderData: keepPreviousData,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  });
  const message = query === "" ? undefined : fieldMessage(error, "query");
  const mistake = message === undefined ? null : mistakeOf(message);
  if (query === "") return { data: undefined, mistake: null, error: null };
  return { data: error ? undefined : data, mistake, error: mistake ? null : error };
}
