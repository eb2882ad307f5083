import { Activity, LayoutDashboard, MessagesSquare } from "lucide-react";

/** The views, in the order of the rail. */
export const NAV = [
  { to: "/", label: "Overview", Icon: LayoutDashboard },
  { to: "/live", label: "Live", Icon: Activity },
  { to: "/posts", label: "Posts", Icon: MessagesSquare },
] as const;

/** On phones these have a tab of their own; the others are behind "More". */
export const TABS = NAV.filter(({ to }) => ["/", "/live", "/posts", "/alerts"].includes(to));
export const MORE = NAV.filter((entry) => !TABS.includes(entry));
