import type { Matcher, Receiver, Route, RouteDraft } from "@/api/types";
import { writtenOf } from "@/lib/written";

/** The editable state of a route. */
export interface Draft {
  name: string;
  receiver: string;
  position: string;
  matchers: Matcher[];
  continues: boolean;
  /** Label names, separated by commas. */
  groupBy: string;
  groupWait: string;
  groupInterval: string;
  repeatInterval: string;
  muteTimings: string[];
  /** The names of mute timings. The route sends notifications only during them. */
  activeTimings: string[];
  /** The name of the parent route. Empty for the top level. */
  parent: string;
}

export function draftOf(before: Route | null, receivers: readonly Receiver[]): Draft {
  return {
    name: before?.name ?? "",
    receiver: before?.receiver ?? receivers[0]?.name ?? "",
    position: String(before?.position ?? 0),
    matchers: before?.matchers ?? [{ label: "severity", op: "=", value: "critical" }],
    continues: before?.continue ?? false,
    groupBy: (before?.group_by ?? ["alertname"]).join(", "),
    groupWait: before?.group_wait ?? "30s",
    groupInterval: before?.group_interval ?? "5min",
    repeatInterval: before?.repeat_interval ?? "4h",
    muteTimings: before?.mute_timings ?? [],
    activeTimings: before?.active_timings ?? [],
    parent: before?.parent ?? "",
  };
}

/** The route in the API's format. Fields of `before` that the draft does not have are kept. */
export function routeOf(draft: Draft, before: Route | null): RouteDraft {
  return {
    ...(before ? writtenOf(before) : {}),
    name: draft.name.trim(),
    receiver: draft.receiver,
    position: Number(draft.position),
    matchers: draft.matchers,
    continue: draft.continues,
    group_by: labelsOf(draft.groupBy),
    group_wait: draft.groupWait,
    group_interval: draft.groupInterval,
    repeat_interval: draft.repeatInterval,
    mute_timings: draft.muteTimings,
    active_timings: draft.activeTimings,
    parent: draft.parent === "" ? null : draft.parent,
  };
}

/** The names in a list that is separated by commas. */
export function labelsOf(text: string): string[] {
  return text
    .split(",")
    .map((label) => label.trim())
    .filter(Boolean);
}

/** A route, and the number of routes above it in the tree. */
export interface Branch {
  route: Route;
  depth: number;
}

/** The routing tree in matching order: siblings by position and name, children after their parent, the default route last. */
export function treeOf(routes: readonly Route[]): Branch[] {
  const names = new Set(routes.map(({ name }) => name));
  const isTop = ({ parent }: Route) => !parent || !names.has(parent);
  const isDefault = (route: Route) => isTop(route) && (route.matchers ?? []).length === 0;
  const order = (a: Route, b: Route) =>
    Number(isDefault(a)) - Number(isDefault(b)) ||
    (a.position ?? 0) - (b.position ?? 0) ||
    (a.name < b.name ? -1 : 1);
  const branch = (route: Route, depth: number): Branch[] => [
    { route, depth },
    ...routes
      .filter(({ parent }) => parent === route.name)
      .sort(order)
      .flatMap((child) => branch(child, depth + 1)),
  ];
  return routes
    .filter(isTop)
    .sort(order)
    .flatMap((route) => branch(route, 0));
}

/** The possible parents of `route`. The route, its descendants and the default route are excluded. */
export function parentsOf(route: Route | null, routes: readonly Route[]): string[] {
  const below = new Set<string>(route ? [route.name] : []);
  const tree = treeOf(routes);
  for (const { route: other } of tree) {
    if (other.parent && below.has(other.parent)) below.add(other.name);
  }
  const isDefault = ({ parent, matchers }: Route) => !parent && (matchers ?? []).length === 0;
  return tree
    .map(({ route: other }) => other)
    .filter((other) => !below.has(other.name) && !isDefault(other))
    .map(({ name }) => name);
}
