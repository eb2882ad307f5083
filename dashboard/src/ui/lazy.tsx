import { type ComponentType, type ReactNode, useEffect, useState } from "react";
import { Button } from "./Button";
import { EmptyState, Skeleton } from "./states";

/** A component that is loaded on first use. */
export type LazyPart<P> = ((props: P) => ReactNode) & {
  /** Loads the component. It never rejects, because the component itself reports and retries failures. */
  preload: () => Promise<void>;
};

const RETRY_MS = 2_000;
/** The page reloads itself at most this often to get the files of a new version. */
const RELOAD_MS = 60_000;
const RELOADED = "sentistream.reloaded";

const parts = new Set<() => Promise<void>>();

/**
 * Creates a component that loads its code on first use. When loading fails, the component shows an error and retries
 * until the code is loaded.
 */
export function lazyPart<P extends object>(
  load: () => Promise<ComponentType<P>>,
  placeholder: ReactNode = <Skeleton className="h-full min-h-24" />,
): LazyPart<P> {
  let Loaded: ComponentType<P> | undefined;
  let pending: Promise<void> | undefined;
  const attempt = (): Promise<void> => {
    pending ??= load().then(
      (component) => {
        Loaded = component;
        parts.delete(preload);
      },
      (error: unknown) => {
        pending = undefined;
        throw error;
      },
    );
    return pending;
  };
  const preload = () => attempt().catch(() => undefined);
  parts.add(preload);

  // biome-ignore lint/correctness/noComponentHookFactories: each part is created once, as with React.lazy
  function Part(props: P) {
    const [failed, setFailed] = useState(false);
    const [, setReady] = useState(Loaded !== undefined);
    useEffect(() => {
      if (Loaded) return;
      let timer: ReturnType<typeof setTimeout>;
      let stopped = false;
      const run = () => {
        attempt().then(
          () => !stopped && setReady(true),
          () => {
            if (stopped) return;
            setFailed(true);
            void reloadForNewVersion();
            timer = setTimeout(run, RETRY_MS);
          },
        );
      };
      run();
      return () => {
        stopped = true;
        clearTimeout(timer);
      };
    }, []);
    if (Loaded) return <Loaded {...props} />;
    return failed ? <Unavailable /> : placeholder;
  }
  return Object.assign(Part, { preload });
}

/** Loads all parts one after the other while the browser is idle. */
export async function preloadWhenIdle(): Promise<void> {
  await idle();
  for (const preload of parts) {
    await preload();
    await idle();
  }
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    if ("requestIdleCallback" in window) window.requestIdleCallback(() => resolve(), { timeout: 5_000 });
    else setTimeout(resolve, 500);
  });
}

function Unavailable() {
  return (
    <div role="alert">
      <EmptyState title="This part of the page could not be loaded">
        <p>The server may be restarting. This page retries automatically.</p>
        <Button onClick={() => window.location.reload()}>Reload the page</Button>
      </EmptyState>
    </div>
  );
}

/** Reloads the page when the server answers but no longer has the files of this version. */
async function reloadForNewVersion(): Promise<void> {
  const index = await fetch("/", { cache: "no-store" }).catch(() => null);
  const current = document.querySelector("script[type=module][src]")?.getAttribute("src");
  if (!index?.ok || !current || (await index.text()).includes(current)) return;
  try {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_MS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
  } catch {
    // Without storage the page cannot prevent a reload loop, so the user must reload it.
    return;
  }
  window.location.reload();
}
