import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// Generous timeouts for slow machines. Errors contain the message without the whole document.
configure({
  asyncUtilTimeout: 15_000,
  getElementError: (message) =>
    Object.assign(new Error(message ?? "not found"), { name: "TestingLibraryElementError" }),
});

// jsdom has no layout. Every element gets a size, so that charts and virtual lists render.
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe() {}
    unobserve() {}
    disconnect() {}
  },
);
window.matchMedia = (media) =>
  Object.assign(new EventTarget(), {
    matches: false,
    media,
    onchange: null,
    addListener: () => {},
    removeListener: () => {},
  });
Element.prototype.getBoundingClientRect = () => new DOMRect(0, 0, 800, 600);
Object.defineProperty(Element.prototype, "clientHeight", { configurable: true, get: () => 600 });
Element.prototype.scrollTo = () => {};
window.scrollTo = () => {};

afterEach(() => {
  cleanup();
  sessionStorage.clear();
  localStorage.clear();
});
