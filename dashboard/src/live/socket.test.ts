import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakeWire } from "@/testing/live";
import { type Connection, LiveSocket, retryDelay } from "./socket";

const CONNECTED = { type: "connected", message: "hi", timestamp: "2026-03-01T12:00:00.000Z" };

function harness(isOnline = () => true) {
  const wires: FakeWire[] = [];
  const states: Connection[] = [];
  const frames: string[] = [];
  const socket = new LiveSocket({
    open: () => {
      const wire = new FakeWire();
      wires.push(wire);
      return wire;
    },
    onFrame: ({ type }) => frames.push(type),
    onConnection: (state) => states.push(state),
    isOnline,
    random: () => 1,
  });
  return { socket, wires, states, frames, wire: () => wires.at(-1) as FakeWire };
}

beforeEach(() => {
  vi.useFakeTimers();
});

describe("live socket", () => {
  it("filter is sent on open and on change", () => {
    const { socket, wire } = harness();
    socket.subscribe({ source: "web" });
    socket.start();
    expect(wire().sent).toEqual([]);
    wire().receive(CONNECTED);
    socket.subscribe({ sentiment: "negative" });
    expect(wire().sent).toEqual([
      { type: "subscribe", filters: { source: "web" } },
      { type: "subscribe", filters: { sentiment: "negative" } },
    ]);
  });

  it("reconnect delay grows and resets after a success", () => {
    const { socket, wires, wire, states } = harness();
    socket.start();
    wire().drop();
    vi.advanceTimersByTime(499);
    expect(wires).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(wires).toHaveLength(2);
    wire().drop();
    vi.advanceTimersByTime(999);
    expect(wires).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(wires).toHaveLength(3);
    wire().receive(CONNECTED);
    expect(states.at(-1)).toBe("live");
    wire().drop();
    vi.advanceTimersByTime(500);
    expect(wires).toHaveLength(4);
  });

  it("silent server is pinged and then dropped", () => {
    const { socket, wires, wire, states } = harness();
    socket.start();
    wire().receive(CONNECTED);
    vi.advanceTimersByTime(20_000);
    expect(wire().sent.at(-1)).toEqual({ type: "ping" });
    wire().receive({ type: "pong" });
    vi.advanceTimersByTime(20_000);
    expect(states.at(-1)).toBe("live");
    const silent = wire();
    vi.advanceTimersByTime(10_000);
    expect(silent.closed).toBe(true);
    expect(states.at(-1)).toBe("reconnecting");
    vi.advanceTimersByTime(500);
    expect(wires).toHaveLength(2);
  });

  it("offline device does not connect", () => {
    let online = false;
    const { socket, wires, states } = harness(() => online);
    socket.start();
    vi.advanceTimersByTime(120_000);
    expect(wires).toHaveLength(0);
    expect(states).toEqual(["offline"]);
    online = true;
    socket.restart();
    expect(wires).toHaveLength(1);
  });

  it("invalid frame is ignored", () => {
    const { socket, wire, frames } = harness();
    socket.start();
    wire().onmessage?.({ data: "{oops" });
    wire().onmessage?.({ data: new ArrayBuffer(2) });
    wire().receive(CONNECTED);
    expect(frames).toEqual(["connected"]);
  });

  it("stopped socket does not reconnect", () => {
    const { socket, wire, wires, states } = harness();
    socket.start();
    const old = wire();
    socket.stop();
    old.onclose?.();
    vi.advanceTimersByTime(120_000);
    expect(wires).toHaveLength(1);
    expect(states).toEqual(["connecting"]);
  });
});

it("retry delay is jittered and at most thirty seconds", () => {
  expect(retryDelay(0, () => 0)).toBe(250);
  expect(retryDelay(0, () => 1)).toBe(500);
  expect(retryDelay(50, () => 1)).toBe(30_000);
  expect(retryDelay(50, () => 0)).toBe(15_000);
});
