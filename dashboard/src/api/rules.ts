import { api, dataOf, ifMatch } from "./client";
import type { Versioned } from "./notify";
import type { Backtest, Rule, RuleDraft } from "./types";

/** API calls for alert rules and backtests. */

export async function getRules(signal: AbortSignal): Promise<Rule[]> {
  return (await dataOf(api.GET("/api/alerts/rules", { signal }))).rules;
}

export function getRule(id: number, signal: AbortSignal): Promise<Rule> {
  return dataOf(api.GET("/api/alerts/rules/{id}", { params: { path: { id } }, signal }));
}

/** Creates a rule, or updates `before`. */
export function saveRule(body: RuleDraft, before: Versioned | null): Promise<Rule> {
  if (!before) return dataOf(api.POST("/api/alerts/rules", { body }));
  const params = { path: { id: before.id }, header: ifMatch(before.version) };
  return dataOf(api.PUT("/api/alerts/rules/{id}", { params, body }));
}

export async function deleteRule({ id, version }: Versioned): Promise<void> {
  await dataOf(api.DELETE("/api/alerts/rules/{id}", { params: { path: { id }, header: ifMatch(version) } }));
}

/** Runs a rule over stored data: between the bounds, or over the last 24 hours. Nothing is saved. */
export function backtestRule(rule: RuleDraft, signal: AbortSignal, bounds: Bounds = {}): Promise<Backtest> {
  return dataOf(api.POST("/api/alerts/rules/backtest", { body: { rule, ...bounds }, signal }));
}

interface Bounds {
  start_date?: string;
  end_date?: string;
}
