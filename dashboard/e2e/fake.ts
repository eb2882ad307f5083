import type { Page, Route, WebSocketRoute } from "@playwright/test";
import type { Post } from "../src/api/types";
import { answer } from "../src/testing/answers";
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
    this.tell(post);
  }

  /** The clients hear of a post. */
  tell(post: Post): void {
    for (const socket of this.sockets) socket.send(JSON.stringify({ type: "post", data: eventOf(post) }));
  }

  private async answer(route: Route): Promise<void> {
    const request = route.request();
    const body: unknown = request.postData() ? request.postDataJSON() : undefined;
    const { status, json } = answer(this.world, request.method(), new URL(request.url()), body);
    await route.fulfill(json === undefined ? { status } : { status, json });
  }
}
