import { FeedList } from "@/live/FeedList";

/** The live feed alone, as high as the window. */
export function Live() {
  return (
    <div className="card mx-auto h-[calc(100dvh-12.5rem)] max-w-[60rem] overflow-hidden md:h-[calc(100dvh-5.5rem)]">
      <FeedList className="h-full" />
    </div>
  );
}
