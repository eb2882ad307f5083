import { useSyncExternalStore } from "react";

/** The ids of the posts on the page in order, for the previous and next buttons of the drawer. */
let ids: readonly string[] = [];
const listeners = new Set<() => void>();

/** Sets the posts of the list that is shown. */
export function setSequence(next: readonly string[]): void {
  if (next.length === ids.length && next.every((id, index) => id === ids[index])) return;
  ids = next;
  for (const listener of listeners) listener();
}

export interface Neighbours {
  previous: string | undefined;
  next: string | undefined;
}

/** The posts before and after a post in the list that is shown. */
export function useNeighbours(id: string | undefined): Neighbours {
  const list = useSyncExternalStore(subscribe, () => ids);
  const index = id === undefined ? -1 : list.indexOf(id);
  if (index < 0) return { previous: undefined, next: undefined };
  return { previous: list[index - 1], next: list[index + 1] };
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
