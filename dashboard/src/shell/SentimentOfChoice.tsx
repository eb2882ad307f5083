import { Choice } from "@/ui/Choice";
import { useView } from "./useView";

const OPTIONS = [
  { value: "topic", label: "Towards the topic" },
  { value: "post", label: "Of the whole post" },
] as const;

/** Chooses the sentiment of a topic's posts: towards the topic, or of the whole post. */
export function SentimentOfChoice() {
  const { search, change } = useView();
  return (
    <span className="flex max-w-full items-center gap-2 text-xs text-quiet">
      Sentiment
      <Choice
        label="Sentiment"
        value={search.sentiment_of ?? "topic"}
        options={OPTIONS}
        onChange={(of) => change({ sentiment_of: of === "post" ? of : undefined })}
      />
    </span>
  );
}
