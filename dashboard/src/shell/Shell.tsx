import { Outlet, useLocation } from "@tanstack/react-router";
import { LiveProvider } from "@/live/LiveProvider";
import { cx } from "@/ui/cx";
import { lazyPart } from "@/ui/lazy";
import { ReconnectingBar } from "./ConnectionState";
import { MissingTopic, useIsTopicMissing } from "./MissingTopic";
import { FILTERED } from "./nav";
import { Rail, TabBar } from "./Rail";
import { Shortcuts } from "./Shortcuts";
import { TopBar } from "./TopBar";
import { UnusableParams } from "./UnusableParams";
import { useBackfillRefresh } from "./useBackfillRefresh";
import { useView } from "./useView";

/** Views that fill the window and scroll inside themselves. */
const FILLING = new Set(["/live", "/posts"]);

const PostDrawer = lazyPart(async () => (await import("@/posts/PostDrawer")).default, null);

/** The frame around every view. */
export function Shell() {
  const { search } = useView();
  useBackfillRefresh();
  const path = useLocation({ select: ({ pathname }) => pathname });
  const fills = FILLING.has(path);
  const missing = useIsTopicMissing(search.topic) && FILTERED.has(path);
  return (
    <LiveProvider filter={search}>
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-inverse px-3 py-2 text-on-inverse focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <div className="flex min-h-dvh">
        <Rail />
        <div className={cx("flex min-w-0 flex-1 flex-col", fills && "h-dvh")}>
          <header className="z-20 border-b border-border bg-page md:sticky md:top-0">
            <TopBar />
            <ReconnectingBar />
            <UnusableParams />
          </header>
          <main
            id="content"
            tabIndex={-1}
            className={cx(
              "mx-auto w-full max-w-[1600px] flex-1 p-4 outline-none",
              fills ? "flex min-h-0 flex-col overflow-y-auto pb-[4.5rem] md:pb-4" : "pb-24 md:pb-6",
            )}
          >
            {missing && search.topic !== undefined ? <MissingTopic topic={search.topic} /> : <Outlet />}
          </main>
        </div>
      </div>
      <TabBar />
      <Shortcuts />
      {search.post !== undefined && <PostDrawer />}
    </LiveProvider>
  );
}
