import { beforeEach, expect, it, vi } from "vitest";
import { RefreshTimer } from "./refresh";

beforeEach(() => {
  vi.useFakeTimers();
});

it("burst triggers one refresh after the cache time", () => {
  const refresh = vi.fn();
  const timer = new RefreshTimer(refresh);
  for (let n = 0; n < 10; n += 1) {
    timer.touch();
    vi.advanceTimersByTime(100);
  }
  vi.advanceTimersByTime(2_399);
  expect(refresh).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(refresh).toHaveBeenCalledTimes(1);
});

it("steady flow refreshes periodically and once after it", () => {
  const refresh = vi.fn();
  const timer = new RefreshTimer(refresh);
  for (let n = 0; n < 120; n += 1) {
    timer.touch();
    vi.advanceTimersByTime(250);
  }
  expect(refresh.mock.calls.length).toBe(2);
  vi.advanceTimersByTime(2_500);
  expect(refresh.mock.calls.length).toBe(3);
  vi.advanceTimersByTime(60_000);
  expect(refresh.mock.calls.length).toBe(3);
});
