import type { Page, Route, WebSocketRoute } from "@playwright/test";
import type { Post } from "../src/api/types";
import { eventOf, iso, type World } from "../src/testing/world";

/** Stands a `World` behind the page: REST and the WebSocket, without a server. */
export class Fake {
  private readonly sockets = new Set<WebSocketRoute>();

  constructor(private readonly world: World) {}

  async attach(page: Page): Promise<void> {
    await page.route("**/api/**", (route) => this.answer(route));
    await page.routeWebSocket("**/ws/sentiment", (socket) => {
      this.sockets.add(socket);
      socket.onClose(() => this.sockets.delete(socket));
      socket.send(JSON.stringify({ type: "connected", message: "hello", timestamp: iso(Date.now()) }));
    });
  }

  /** A post was analysed. */
  publish(post: Post): void {
    this.world.add(post);
    for (const socket of this.sockets) socket.send(JSON.stringify({ type: "post", data: eventOf(post) }));
  }

  private async answer(route: Route): Promise<void> {
    const url = new URL(route.request().url());
    const body = this.json(url);
    if (body === undefined) {
      await route.fulfill({ status: 404, json: { title: "Not found", status: 404, detail: url.pathname } });
    } else {
      await route.fulfill({ json: body });
    }
  }

  private json(url: URL): unknown {
    const { searchParams: params } = url;
    switch (url.pathname) {
      case "/api/posts":
        return this.world.page(params);
      case "/api/sentiment/aggregate":
        return this.world.aggregate(params);
      case "/api/sentiment/distribution":
        return this.world.distribution(params, Date.now());
      case "/api/sources":
        return { sources: this.world.sources(), total: this.world.sources().length };
      case "/api/alerts":
        return { alerts: this.world.alerts, total: this.world.alerts.length, limit: 50, next_cursor: null };
      default:
        return undefined;
    }
  }
}
