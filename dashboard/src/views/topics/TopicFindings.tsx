import { useQueries } from "@tanstack/react-query";
import type { Topic } from "@/api/types";
import type { Search } from "@/lib/search";
import { findingsOf } from "../insights/findings";
import { insightOptions } from "../insights/useInsight";
import { WhatHappened } from "../insights/WhatHappened";
import { useWindow } from "../overview/useComparison";

/** The maximum number of topics to explain, which limits the load of the server. */
const MOST_TOPICS = 8;

/** The findings about the topics, in sentences. */
export function TopicFindings({ topics, search }: { topics: readonly Topic[]; search: Search }) {
  const { start, end, before } = useWindow(search);
  const largest = [...topics].sort((a, b) => b.posts.total - a.posts.total).slice(0, MOST_TOPICS);
  const searches = largest.map(({ name }) => ({ ...search, topic: name }));
  const findings = useQueries({
    queries: searches.map((of) => insightOptions(of, { start, end, before })),
    combine: (results) =>
      results.flatMap(({ data }, index) => findingsOf({ insight: data, search: searches[index] ?? search })),
  });
  return <WhatHappened findings={findings} />;
}
