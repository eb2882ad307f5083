import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  type RouterHistory,
} from "@tanstack/react-router";
import { alertQuery } from "./api/queries";
import { parseSearch, readQuery, writeQuery } from "./lib/search";
import { NotFound } from "./shell/NotFound";
import { Root } from "./shell/Root";
import { RouteError } from "./shell/RouteError";
import { lazyPart } from "./ui/lazy";
import { SkeletonRows } from "./ui/states";

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Root,
  validateSearch: parseSearch,
  notFoundComponent: NotFound,
});

const under = { getParentRoute: () => root };

const overview = createRoute({
  ...under,
  path: "/",
  component: lazyPart(async () => (await import("./views/overview/Overview")).Overview, <SkeletonRows />),
});
const live = createRoute({
  ...under,
  path: "/live",
  component: lazyPart(async () => (await import("./views/live/Live")).Live, <SkeletonRows />),
});
const posts = createRoute({
  ...under,
  path: "/posts",
  component: lazyPart(async () => (await import("./views/posts/Posts")).Posts, <SkeletonRows />),
});
const emotions = createRoute({
  ...under,
  path: "/emotions",
  component: lazyPart(async () => (await import("./views/emotions/Emotions")).Emotions, <SkeletonRows />),
});
const topics = createRoute({
  ...under,
  path: "/topics",
  component: lazyPart(async () => (await import("./views/topics/Topics")).Topics, <SkeletonRows />),
});
const compare = createRoute({
  ...under,
  path: "/compare",
  component: lazyPart(async () => (await import("./views/compare/Compare")).Compare, <SkeletonRows />),
});
const alerts = createRoute({
  ...under,
  path: "/alerts",
  component: lazyPart(async () => (await import("./views/alerts/Alerts")).Alerts, <SkeletonRows />),
});
const alert = createRoute({
  ...under,
  path: "/alerts/$id",
  // The alert is read while the code of its page loads.
  loader: ({ context, params }) => {
    void context.queries.prefetchQuery(alertQuery(params.id));
  },
  component: lazyPart(
    async () => (await import("./views/alerts/alert/AlertPage")).AlertPage,
    <SkeletonRows />,
  ),
});
const routes = createRoute({
  ...under,
  path: "/alerts/routes",
  component: lazyPart(async () => (await import("./views/alerts/routes/Routes")).Routes, <SkeletonRows />),
});
const rules = createRoute({
  ...under,
  path: "/alerts/rules",
  component: lazyPart(async () => (await import("./views/alerts/rules/Rules")).Rules, <SkeletonRows />),
});
const rule = createRoute({
  ...under,
  path: "/alerts/rules/$id",
  component: lazyPart(
    async () => (await import("./views/alerts/rules/RuleEditor")).RuleEditor,
    <SkeletonRows />,
  ),
});
const silences = createRoute({
  ...under,
  path: "/alerts/silences",
  component: lazyPart(
    async () => (await import("./views/alerts/silences/Silences")).Silences,
    <SkeletonRows />,
  ),
});
const receivers = createRoute({
  ...under,
  path: "/alerts/receivers",
  component: lazyPart(
    async () => (await import("./views/alerts/receivers/Receivers")).Receivers,
    <SkeletonRows />,
  ),
});
const sources = createRoute({
  ...under,
  path: "/sources",
  component: lazyPart(async () => (await import("./views/sources/Sources")).Sources, <SkeletonRows />),
});
const system = createRoute({
  ...under,
  path: "/system",
  component: lazyPart(async () => (await import("./views/system/System")).System, <SkeletonRows />),
});
const tryIt = createRoute({
  ...under,
  path: "/try",
  component: lazyPart(async () => (await import("./views/try/TryIt")).TryIt, <SkeletonRows />),
});
const people = createRoute({
  ...under,
  path: "/settings/people",
  component: lazyPart(async () => (await import("./views/people/People")).People, <SkeletonRows />),
});
const tokens = createRoute({
  ...under,
  path: "/settings/tokens",
  component: lazyPart(async () => (await import("./views/tokens/Tokens")).Tokens, <SkeletonRows />),
});
const audit = createRoute({
  ...under,
  path: "/settings/audit",
  component: lazyPart(async () => (await import("./views/audit/Audit")).Audit, <SkeletonRows />),
});
const configuration = createRoute({
  ...under,
  path: "/settings/configuration",
  component: lazyPart(
    async () => (await import("./views/configuration/Configuration")).Configuration,
    <SkeletonRows />,
  ),
});
const maintenance = createRoute({
  ...under,
  path: "/settings/maintenance",
  component: lazyPart(
    async () => (await import("./views/maintenance/Maintenance")).Maintenance,
    <SkeletonRows />,
  ),
});
const account = createRoute({
  ...under,
  path: "/account",
  component: lazyPart(async () => (await import("./views/account/Account")).Account, <SkeletonRows />),
});
const signIn = createRoute({
  ...under,
  path: "/sign-in",
  component: lazyPart(async () => (await import("./views/signin/SignInPage")).SignInPage, null),
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
  sources,
  system,
  tryIt,
  people,
  tokens,
  audit,
  configuration,
  maintenance,
  account,
  signIn,
]);

/** Creates the router. Tests pass their own history. Views load on first use, on hover, or when the page is idle. */
export function createAppRouter(queries: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree,
    context: { queries },
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
