import { useSourcesQuery } from "@/api/queries";
import { EMOTIONS, SENTIMENTS } from "@/lib/labels";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { Button } from "@/ui/Button";
import { EmotionMark, SentimentMark } from "@/ui/marks";
import { FilterChip } from "./FilterChip";
import { SearchField } from "./SearchField";
import { useView } from "./useView";

const SENTIMENT_OPTIONS = SENTIMENTS.map((value) => ({ value, content: <SentimentMark label={value} /> }));
const EMOTION_OPTIONS = EMOTIONS.map((value) => ({ value, content: <EmotionMark label={value} /> }));

/** The filters of posts. */
export function FilterBar() {
  const { search, change } = useView();
  const sources = useSourcesQuery().data ?? [];
  const options = sources.map(({ source }) => ({ value: source, content: source }));
  return (
    <>
      <FilterChip
        name="Source"
        value={search.source}
        options={options}
        onChange={(source) => change({ source })}
      />
      <FilterChip
        name="Sentiment"
        value={search.sentiment}
        options={SENTIMENT_OPTIONS}
        onChange={(sentiment) => change({ sentiment })}
      />
      <FilterChip
        name="Emotion"
        value={search.emotion}
        options={EMOTION_OPTIONS}
        onChange={(emotion) => change({ emotion })}
      />
      <SearchField />
      {filterCount(search) > 1 && (
        <Button look="plain" onClick={() => change(NO_FILTERS)}>
          Clear filters
        </Button>
      )}
    </>
  );
}
