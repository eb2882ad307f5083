import { FeedList } from "@/live/FeedList";

/** The live feed at full height. */
export function Live() {
  return (
    <div className="card mx-auto min-h-80 w-full max-w-[60rem] flex-1 overflow-hidden">
      <FeedList className="h-full" />
    </div>
  );
}
