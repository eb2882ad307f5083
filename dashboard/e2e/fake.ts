import type { Page, Route, WebSocketRoute } from "@playwright/test";
import type { ScoredPost } from "../src/api/types";
import { iso } from "../src/testing/answer";
import { answer } from "../src/testing/answers";
import { eventOf, type World } from "../src/testing/world";

/** Serves a `World` to the page: REST and WebSocket without a server. */
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

  /** Stores a post and sends its event. */
  publish(post: ScoredPost): void {
    this.world.add(post);
    this.send(post);
  }

  /** Sends the event of a post to the clients. */
  send(post: ScoredPost): void {
    for (const socket of this.sockets) socket.send(JSON.stringify({ type: "post", data: eventOf(post) }));
  }

  private async answer(route: Route): Promise<void> {
    const request = route.request();
    const body: unknown = request.postData() ? request.postDataJSON() : undefined;
    const { status, json } = answer(this.world, request.method(), new URL(request.url()), body);
    await route.fulfill(json === undefined ? { status } : { status, json });
  }
}
