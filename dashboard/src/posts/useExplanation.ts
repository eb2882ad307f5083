import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { analyze } from "@/api/endpoints";
import { keys } from "@/api/keys";
import { explainedPieces } from "./explain";

/** The influence of each word: the server leaves out one word at a time and reports the change of the scores. */
export function useExplanation(text: string, enabled: boolean) {
  return useQuery({
    queryKey: keys.analysis.explanation(text),
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
