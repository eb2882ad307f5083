import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { analyzeAll } from "@/api/endpoints";
import { influences, MOST_WORDS, variants, wordCount } from "./explain";

/** Which words drove the result of a text: each is left out once, and the change of the score is what it did. */
export function useExplanation(text: string, enabled: boolean) {
  const words = wordCount(text);
  const feasible = words > 1 && words <= MOST_WORDS;
  const query = useQuery({
    queryKey: ["explanation", text],
    queryFn: async ({ signal }) => {
      const results = await analyzeAll(variants(text), signal);
      const label = results[0]?.label;
      return label ? { label, words: influences(text, results) } : null;
    },
    enabled: enabled && feasible,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    refetchOnWindowFocus: false,
  });
  return { ...query, feasible };
}
