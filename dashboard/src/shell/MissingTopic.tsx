import { Link } from "@tanstack/react-router";
import { useTopicsQuery } from "@/api/queries";
import { Button, buttonClass } from "@/ui/Button";
import { EmptyState } from "@/ui/states";
import { useView } from "./useView";

/** Whether the chosen topic does not exist. */
export function useIsTopicMissing(topic: string | undefined): boolean {
  const topics = useTopicsQuery().data;
  return topic !== undefined && topics !== undefined && !topics.some(({ name }) => name === topic);
}

/** Replaces a view whose topic does not exist. */
export function MissingTopic({ topic }: { topic: string }) {
  const { change } = useView();
  return (
    <EmptyState title={`Topic “${topic}” not found`}>
      <p>The topic may have been removed, or the link is mistyped.</p>
      <div className="flex flex-wrap justify-center gap-2">
        <Button onClick={() => change({ topic: undefined })}>Show all posts</Button>
        <Link to="/topics" className={buttonClass()}>
          View topics
        </Link>
      </div>
    </EmptyState>
  );
}
