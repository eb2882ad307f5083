import { useQueryClient } from "@tanstack/react-query";
import {
  createContext,
  type ReactNode,
  startTransition,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";
import { getPosts } from "@/api/endpoints";
import { keys, LIVE_QUERIES } from "@/api/keys";
import { onSessionChange, readToken } from "@/api/session";
import { type Search, topicFilter } from "@/lib/search";
import type { Arrival } from "./overlay";
import { RefreshTimer } from "./refresh";
import type { Wire } from "./socket";
import { type LiveState, LiveStore } from "./store";

const LiveContext = createContext<LiveStore | null>(null);

/** Provides the live state of the page. Opens the live connection and closes it. */
export function LiveProvider({ filter, children }: { filter: Search; children: ReactNode }) {
  const store = useNewStore();
  const { source, sentiment, emotion, author, min, q } = filter;
  const { topic, sentiment_of } = topicFilter(filter);
  useEffect(
    () => store.setFilter({ topic, sentiment_of, source, sentiment, emotion, author, min, q }),
    [store, topic, sentiment_of, source, sentiment, emotion, author, min, q],
  );
  useEffect(() => {
    const restart = () => store.start();
    store.start();
    window.addEventListener("online", restart);
    window.addEventListener("offline", restart);
    let token = readToken();
    const unsubscribe = onSessionChange(() => {
      if (token === readToken()) return;
      token = readToken();
      restart();
    });
    return () => {
      window.removeEventListener("online", restart);
      window.removeEventListener("offline", restart);
      unsubscribe();
      store.stop();
    };
  }, [store]);
  return <LiveContext value={store}>{children}</LiveContext>;
}

/** Selects a part of the live state. The component renders again when this part changes. */
export function useLive<T>(select: (state: LiveState) => T): T {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, () => select(store.snapshot()));
}

/** The newest live posts, for totals. A React transition updates them, so that rendering does not block input. */
export function useArrivals(): readonly Arrival[] {
  const store = useStore();
  const [arrivals, setArrivals] = useState(() => store.snapshot().arrivals);
  useEffect(() => {
    const update = () => startTransition(() => setArrivals(store.snapshot().arrivals));
    update();
    return store.subscribe(update);
  }, [store]);
  return arrivals;
}

function useStore(): LiveStore {
  const store = useContext(LiveContext);
  if (!store) throw new Error("live state is available only inside LiveProvider");
  return store;
}

function useNewStore(): LiveStore {
  const queries = useQueryClient();
  const [store] = useState(() => {
    const refreshTotals = () => {
      for (const queryKey of LIVE_QUERIES) void queries.invalidateQueries({ queryKey });
    };
    const timer = new RefreshTimer(refreshTotals);
    return new LiveStore({
      open: openSocket,
      fetchPage: (query) => getPosts(query),
      isOnline: () => navigator.onLine,
      events: {
        onChange: () => timer.touch(),
        onAlert: () => {
          void queries.invalidateQueries({ queryKey: keys.alerts.all });
          // Only the list is refetched, because a rule that is open in the editor must not change.
          void queries.invalidateQueries({ queryKey: keys.rules.list });
        },
        onDeleted: () => void queries.invalidateQueries({ queryKey: keys.posts.all }),
        onGap: () => {
          refreshTotals();
          void queries.invalidateQueries({ queryKey: keys.alerts.all });
        },
      },
    });
  });
  return store;
}

function openSocket(): Wire {
  const url = new URL("/ws/sentiment", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const token = readToken();
  return new WebSocket(url, token ? ["sentistream", `bearer.${token}`] : undefined) as Wire;
}
