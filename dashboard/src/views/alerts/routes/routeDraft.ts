import type { Matcher, Receiver, Route, RouteDraft } from "@/api/types";

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
  };
}

/** The route in the API's format. */
export function routeOf(draft: Draft): RouteDraft {
  return {
    name: draft.name.trim(),
    receiver: draft.receiver,
    position: Number(draft.position),
    matchers: draft.matchers,
    continue: draft.continues,
    group_by: draft.groupBy
      .split(",")
      .map((label) => label.trim())
      .filter(Boolean),
    group_wait: draft.groupWait,
    group_interval: draft.groupInterval,
    repeat_interval: draft.repeatInterval,
    mute_timings: draft.muteTimings,
  };
}

/** Routes in matching order: by position and name, with the catch-all last. */
export function inOrder(routes: readonly Route[]): Route[] {
  const last = ({ matchers }: Route) => Number((matchers ?? []).length === 0);
  return [...routes].sort(
    (a, b) => last(a) - last(b) || (a.position ?? 0) - (b.position ?? 0) || (a.name < b.name ? -1 : 1),
  );
}
