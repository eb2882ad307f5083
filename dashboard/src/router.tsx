import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { parseSearch, readQuery, writeQuery } from "./lib/search";
import { NotFound } from "./shell/NotFound";
import { RouteError } from "./shell/RouteError";
import { Shell } from "./shell/Shell";

const root = createRootRoute({ component: Shell, validateSearch: parseSearch, notFoundComponent: NotFound });

const under = { getParentRoute: () => root };

const overview = createRoute({
  ...under,
  path: "/",
  component: lazyRouteComponent(() => import("./views/overview/Overview"), "Overview"),
});
const live = createRoute({
  ...under,
  path: "/live",
  component: lazyRouteComponent(() => import("./views/live/Live"), "Live"),
});
const posts = createRoute({
  ...under,
  path: "/posts",
  component: lazyRouteComponent(() => import("./views/posts/Posts"), "Posts"),
});
const emotions = createRoute({
  ...under,
  path: "/emotions",
  component: lazyRouteComponent(() => import("./views/emotions/Emotions"), "Emotions"),
});
const alerts = createRoute({
  ...under,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./views/alerts/Alerts"), "Alerts"),
});
const system = createRoute({
  ...under,
  path: "/system",
  component: lazyRouteComponent(() => import("./views/system/System"), "System"),
});
const tryIt = createRoute({
  ...under,
  path: "/try",
  component: lazyRouteComponent(() => import("./views/try/TryIt"), "TryIt"),
});

/** Views are loaded when they are first opened, or hovered. */
export const router = createRouter({
  routeTree: root.addChildren([overview, live, posts, emotions, alerts, system, tryIt]),
  parseSearch: readQuery,
  stringifySearch: writeQuery,
  defaultPreload: "intent",
  defaultErrorComponent: RouteError,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
