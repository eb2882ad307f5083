import { SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { useSourcesQuery, useTopicsQuery } from "@/api/queries";
import { EMOTIONS, SENTIMENTS } from "@/lib/labels";
import { filterCount, NO_FILTERS } from "@/lib/search";
import { Button, IconButton } from "@/ui/Button";
import { cx } from "@/ui/cx";
import { EmotionMark, SentimentMark } from "@/ui/marks";
import { FilterChip } from "./FilterChip";
import { SearchField } from "./SearchField";
import { SentimentOfChoice } from "./SentimentOfChoice";
import { useView } from "./useView";

const SENTIMENT_OPTIONS = SENTIMENTS.map((value) => ({ value, content: <SentimentMark label={value} /> }));
const EMOTION_OPTIONS = EMOTIONS.map((value) => ({ value, content: <EmotionMark label={value} /> }));

const CHIPS = "filters";

/** The post filters. On phones they are collapsed by default. */
export function FilterBar() {
  const { search, change } = useView();
  const sources = useSourcesQuery().data ?? [];
  const topics = useTopicsQuery().data ?? [];
  const options = sources.map(({ source }) => ({ value: source, content: source }));
  const [open, setOpen] = useState(false);
  const set = filterCount(search);
  return (
    <>
      <IconButton
        label="Filters"
        aria-expanded={open || set > 0}
        aria-controls={CHIPS}
        className="border border-border bg-card sm:hidden"
        onClick={() => setOpen(!open)}
      >
        <SlidersHorizontal size={14} />
      </IconButton>
      <div
        id={CHIPS}
        className={cx("w-full flex-wrap items-center gap-2 sm:contents", open || set > 0 ? "flex" : "hidden")}
      >
        {(topics.length > 0 || search.topic) && (
          <FilterChip
            name="Topic"
            value={search.topic}
            options={topics.map(({ name }) => ({ value: name, content: name }))}
            onChange={(topic) => change({ topic, ...(topic ? {} : { sentiment_of: undefined }) })}
          />
        )}
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
        {search.topic && <SentimentOfChoice />}
        {set > 1 && (
          <Button look="plain" onClick={() => change(NO_FILTERS)}>
            Clear filters
          </Button>
        )}
      </div>
    </>
  );
}
