import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { analyze } from "@/api/endpoints";
import { explainedPieces } from "./explain";

/** Which words drove the result of a text: the server leaves each out once and tells what the scores lose. */
export function useExplanation(text: string, enabled: boolean) {
  return useQuery({
    queryKey: ["explanation", text],
    queryFn: async ({ signal }) => {
      const analysis = await analyze({ text, explain: true }, signal);
      return { label: analysis.label, emotion: analysis.emotion, pieces: explainedPieces(text, analysis) };
    },
    enabled: enabled && text !== "",
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  });
}
