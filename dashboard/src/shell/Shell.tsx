import { Outlet } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { LiveProvider } from "@/live/LiveProvider";
import { ReconnectingBar } from "./ConnectionState";
import { Rail, TabBar } from "./Rail";
import { Shortcuts } from "./Shortcuts";
import { SignIn } from "./SignIn";
import { TopBar } from "./TopBar";
import { useView } from "./useView";

const PostDrawer = lazy(() => import("@/posts/PostDrawer"));

/** The frame around every view. */
export function Shell() {
  const { search } = useView();
  return (
    <LiveProvider filter={search}>
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-inverse px-3 py-2 text-on-inverse focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the content
      </a>
      <div className="flex min-h-dvh">
        <Rail />
        <div className="flex min-w-0 flex-1 flex-col">
          <header className="z-20 border-b border-border bg-page md:sticky md:top-0">
            <TopBar />
            <ReconnectingBar />
          </header>
          <main
            id="content"
            tabIndex={-1}
            className="mx-auto w-full max-w-[1600px] flex-1 p-4 pb-24 outline-none md:pb-6"
          >
            <Outlet />
          </main>
        </div>
      </div>
      <TabBar />
      <Shortcuts />
      <SignIn />
      {search.post !== undefined && (
        <Suspense>
          <PostDrawer />
        </Suspense>
      )}
    </LiveProvider>
  );
}
