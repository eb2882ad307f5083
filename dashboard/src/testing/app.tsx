import { createMemoryHistory } from "@tanstack/react-router";
import { cleanup, render, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http, type WebSocketHandlerConnection, ws } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { App } from "@/App";
import { createQueries } from "@/api/queryClient";
import { askToSignIn, writeToken } from "@/api/session";
import { forgetLink } from "@/api/signInLink";
import type { ScoredPost } from "@/api/types";
import { createAppRouter } from "@/router";
import { type Answer, iso } from "./answer";
import { answer } from "./answers";
import { eventOf, World } from "./world";

const live = ws.link("ws://localhost:3000/ws/sentiment");

/** Overrides the response to a request, or delays it. `undefined` falls through to the world. */
export type Intercept = (request: Request, url: URL) => Answer | undefined | Promise<Answer | undefined>;

/** Starts a fake server for the tests of a file. Each test starts with an empty world. */
export function serve() {
  const state = {
    world: new World(),
    intercept: (() => undefined) as Intercept,
    requests: [] as string[],
    connections: [] as WebSocketHandlerConnection[],
  };
  const server = setupServer(
    http.all("*/api/*", async ({ request }) => {
      const url = new URL(request.url);
      state.requests.push(`${request.method} ${url.pathname}${decodeURIComponent(url.search)}`);
      const text = await request.clone().text();
      const body: unknown = text ? JSON.parse(text) : undefined;
      const {
        status,
        json,
        headers = {},
      } = (await state.intercept(request, url)) ?? answer(state.world, request.method, url, body);
      return json === undefined
        ? new HttpResponse(null, { status, headers })
        : HttpResponse.json(json as object, { status, headers });
    }),
    live.addEventListener("connection", (connection) => {
      state.connections.push(connection);
      connection.client.send(
        JSON.stringify({ type: "connected", message: "hi", timestamp: iso(Date.now()) }),
      );
    }),
  );
  beforeAll(() => server.listen({ onUnhandledRequest: "error" }));
  afterEach(async () => {
    // Requests of this test must not reach the next test.
    cleanup();
    await new Promise((resolve) => setTimeout(resolve));
    state.world = new World();
    state.intercept = () => undefined;
    state.requests.length = 0;
    state.connections.length = 0;
    writeToken(null);
    askToSignIn(null);
    forgetLink();
  });
  afterAll(() => server.close());
  return {
    state,
    /** Stores a post and sends its event to the clients. */
    publish(post: ScoredPost) {
      state.world.add(post);
      live.broadcast(JSON.stringify({ type: "post", data: eventOf(post) }));
    },
    send(frame: unknown) {
      live.broadcast(JSON.stringify(frame));
    },
  };
}

/** Opens the dashboard at a path. */
export function open(path: string) {
  const queries = createQueries();
  queries.setDefaultOptions({ queries: { ...queries.getDefaultOptions().queries, retry: false } });
  const router = createAppRouter(queries, createMemoryHistory({ initialEntries: [path] }));
  render(<App router={router} queries={queries} />);
  return {
    user: userEvent.setup(),
    router,
    url: () => router.state.location.href,
    /** Waits until no query is fetching. */
    settled: () => waitFor(() => expect(queries.isFetching()).toBe(0)),
  };
}
