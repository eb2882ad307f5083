import { render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { lazyPart } from "./lazy";

it("part that fails to load shows the reason and recovers", async () => {
  const load = vi.fn(async () => () => <p>Loaded</p>);
  load.mockRejectedValueOnce(new TypeError("Failed to fetch dynamically imported module"));
  const Part = lazyPart(load);
  vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new TypeError("Failed to fetch")));
  render(<Part />);
  expect(await screen.findByText("This part of the page could not be loaded")).toBeTruthy();
  expect(await screen.findByText("Loaded")).toBeTruthy();
  expect(load).toHaveBeenCalledTimes(2);
  vi.unstubAllGlobals();
});
