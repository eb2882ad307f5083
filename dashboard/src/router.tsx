import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { parseSearch, readQuery, writeQuery } from "./lib/search";
import { NotFound } from "./shell/NotFound";
import { RouteError } from "./shell/RouteError";
import { Shell } from "./shell/Shell";

const root = createRootRoute({ component: Shell, validateSearch: parseSearch, notFoundComponent: NotFound });

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./views/overview/Overview"), "Overview"),
});
const live = createRoute({
  getParentRoute: () => root,
  path: "/live",
  component: lazyRouteComponent(() => import("./views/live/Live"), "Live"),
});
const posts = createRoute({
  getParentRoute: () => root,
  path: "/posts",
  component: lazyRouteComponent(() => import("./views/posts/Posts"), "Posts"),
});

/** Views are loaded when they are first opened, or hovered. */
export const router = createRouter({
  routeTree: root.addChildren([overview, live, posts]),
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
