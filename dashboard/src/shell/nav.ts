import {
  Activity,
  BellRing,
  FlaskConical,
  Gauge,
  GitCompareArrows,
  LayoutDashboard,
  MessagesSquare,
  Rss,
  Settings2,
  Smile,
  Tags,
} from "lucide-react";

/** The views, in the order of the rail. */
export const NAV = [
  { to: "/", label: "Overview", Icon: LayoutDashboard },
  { to: "/live", label: "Live", Icon: Activity },
  { to: "/posts", label: "Posts", Icon: MessagesSquare },
  { to: "/emotions", label: "Emotions", Icon: Smile },
  { to: "/topics", label: "Topics", Icon: Tags },
  { to: "/compare", label: "Compare", Icon: GitCompareArrows },
  { to: "/alerts", label: "Alerts", Icon: BellRing },
  { to: "/sources", label: "Sources", Icon: Rss },
  { to: "/system", label: "System", Icon: Gauge },
  { to: "/try", label: "Try it", Icon: FlaskConical },
  { to: "/settings/people", label: "Settings", Icon: Settings2 },
] as const;

/** The tabs on phones. The other views are in the "More" menu. */
export const TABS = NAV.filter(({ to }) => ["/", "/live", "/posts", "/alerts"].includes(to));
export const MORE = NAV.filter((entry) => !TABS.includes(entry));

/** The views with post filters. */
export const FILTERED: ReadonlySet<string> = new Set(["/", "/live", "/posts", "/emotions", "/compare"]);
/** The views with a time range. */
export const RANGED: ReadonlySet<string> = new Set([
  "/",
  "/posts",
  "/emotions",
  "/topics",
  "/compare",
  "/alerts",
]);

/** The views that only administrators can open. */
export const ADMIN: ReadonlySet<string> = new Set(["/settings/people"]);
