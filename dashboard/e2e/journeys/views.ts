import type { Locator, Page } from "@playwright/test";

/** The views, each with an element that appears once it has loaded. */
export const VIEWS: Record<string, (page: Page) => Locator> = {
  "/": (page) =>
    page
      .getByRole("region", { name: /^Sentiment over time/ })
      .locator(".recharts-surface")
      .first(),
  "/live": (page) => page.getByRole("article").first(),
  "/posts": (page) => page.getByRole("article").first(),
  "/emotions": (page) => page.getByText("Share of each hour's posts"),
  "/topics": (page) => page.getByText("No topics"),
  "/alerts": (page) => page.getByText("No alerts in this period"),
  "/alerts/rules": (page) => page.getByRole("link", { name: "Add rule" }),
  "/alerts/rules/new": (page) => page.getByRole("button", { name: "Add rule" }),
  "/alerts/silences": (page) => page.getByText("No silences"),
  "/alerts/receivers": (page) => page.getByText("No receivers"),
  "/alerts/routes": (page) => page.getByText("No routes"),
  "/compare": (page) => page.getByRole("row", { name: /^Posts/ }).first(),
  "/sources": (page) => page.getByText("No sources"),
  "/system": (page) => page.getByText("No dead letters"),
  "/try": (page) => page.getByText(/Shaded words support/),
  "/settings/people": (page) => page.getByRole("button", { name: "Create account" }),
  "/settings/tokens": (page) => page.getByText("No API tokens"),
  "/settings/audit": (page) => page.getByLabel("Outcome"),
  "/settings/configuration": (page) => page.getByLabel("Search settings"),
  "/settings/maintenance": (page) => page.getByText("up to date"),
};

/** Opens a view and waits until it has loaded. */
export async function openView(page: Page, view: string): Promise<void> {
  await page.goto(view);
  await VIEWS[view]?.(page).waitFor({ timeout: 20_000 });
  await page.waitForLoadState("networkidle");
}
