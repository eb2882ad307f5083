import { FeedList } from "@/live/FeedList";
import { FEED_LIMIT } from "@/live/feed";

/** The live feed alone, as high as the window. */
export function Live() {
  return (
    <div className="card mx-auto h-[calc(100dvh-12.5rem)] max-w-[60rem] overflow-hidden md:h-[calc(100dvh-5.5rem)]">
      <FeedList most={FEED_LIMIT} className="h-full" />
    </div>
  );
}
