import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { previewTopic } from "@/api/topics";
import type { TopicPreview } from "@/api/types";
import { fieldError } from "@/ui/Field";
import { type Mistake, mistakeOf } from "./mistake";

export interface PreviewState {
  data: TopicPreview | undefined;
  /** Why the text is no query. */
  mistake: Mistake | null;
  error: unknown;
}

/** What a query would match, told while it is typed. */
export function usePreview(query: string): PreviewState {
  const { data, error } = useQuery({
    queryKey: ["topic-preview", query],
    queryFn: ({ signal }) => previewTopic(query, signal),
    enabled: query !== "",
    placeholderData: keepPreviousData,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  });
  const told = query === "" ? undefined : fieldError(error, "query");
  const mistake = told === undefined ? null : mistakeOf(told);
  if (query === "") return { data: undefined, mistake: null, error: null };
  return { data: error ? undefined : data, mistake, error: mistake ? null : error };
}
