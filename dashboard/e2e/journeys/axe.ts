import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, type Page } from "@playwright/test";
import type { AxeResults } from "axe-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Expects the page to pass axe and to fit the window. */
export async function expectAccessible(page: Page): Promise<void> {
  const { pathname } = new URL(page.url());
  expect(await violations(page), pathname).toEqual([]);
  const sideways = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await expect.poll(sideways, `${pathname} scrolls sideways`).toBe(false);
}

/** The axe violations of the page. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = await page.evaluate(
    (tags) =>
      (window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } }).axe.run({
        runOnly: { type: "tag", values: tags },
      }),
    RULES,
  );
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`),
  );
}
