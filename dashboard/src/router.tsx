import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type RouterHistory,
} from "@tanstack/react-router";
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
const topics = createRoute({
  ...under,
  path: "/topics",
  component: lazyRouteComponent(() => import("./views/topics/Topics"), "Topics"),
});
const compare = createRoute({
  ...under,
  path: "/compare",
  component: lazyRouteComponent(() => import("./views/compare/Compare"), "Compare"),
});
const alerts = createRoute({
  ...under,
  path: "/alerts",
  component: lazyRouteComponent(() => import("./views/alerts/Alerts"), "Alerts"),
});
const alert = createRoute({
  ...under,
  path: "/alerts/$id",
  component: lazyRouteComponent(() => import("./views/alerts/alert/AlertPage"), "AlertPage"),
});
const routes = createRoute({
  ...under,
  path: "/alerts/routes",
  component: lazyRouteComponent(() => import("./views/alerts/routes/Routes"), "Routes"),
});
const rules = createRoute({
  ...under,
  path: "/alerts/rules",
  component: lazyRouteComponent(() => import("./views/alerts/rules/Rules"), "Rules"),
});
const rule = createRoute({
  ...under,
  path: "/alerts/rules/$id",
  component: lazyRouteComponent(() => import("./views/alerts/rules/RuleEditor"), "RuleEditor"),
});
const silences = createRoute({
  ...under,
  path: "/alerts/silences",
  component: lazyRouteComponent(() => import("./views/alerts/silences/Silences"), "Silences"),
});
const receivers = createRoute({
  ...under,
  path: "/alerts/receivers",
  component: lazyRouteComponent(() => import("./views/alerts/receivers/Receivers"), "Receivers"),
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

const routeTree = root.addChildren([
  overview,
  live,
  posts,
  emotions,
  topics,
  compare,
  alerts,
  alert,
  routes,
  rules,
  rule,
  silences,
  receivers,
  system,
  tryIt,
]);

/** Creates the router. Tests pass their own history. Views load on first use, on hover, or when the page is idle. */
export function createAppRouter(history?: RouterHistory) {
  return createRouter({
    routeTree,
    ...(history ? { history } : {}),
    parseSearch: readQuery,
    stringifySearch: writeQuery,
    defaultPreload: "intent",
    defaultErrorComponent: RouteError,
    scrollRestoration: true,
  });
}

export type AppRouter = ReturnType<typeof createAppRouter>;

declare module "@tanstack/react-router" {
  interface Register {
    router: AppRouter;
  }
}
