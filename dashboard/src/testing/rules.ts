import type { Backtest, Rule, RuleDraft } from "@/api/types";
import { type Answer, ok } from "./answer";

/** The rules of a world. A backtest returns a wave with one alert. */
export class RuleWorld {
  rules: Rule[] = [];
  private nextId = 1;

  /** Answers requests below `/api/alerts/rules`. Returns `undefined` for other paths. */
  answer(method: string, path: string, body: unknown): Answer | undefined {
    const [, id] = /^\/api\/alerts\/rules(?:\/(\w+))?$/.exec(path) ?? [];
    if (!path.startsWith("/api/alerts/rules")) return undefined;
    if (id === "backtest") return ok(backtestOf(body as BacktestBody));
    if (method === "GET" && !id) return ok({ rules: this.rules });
    const before = this.rules.find((rule) => rule.id === Number(id));
    if (method === "GET") return before ? ok(before) : undefined;
    const { name } = (body ?? {}) as Partial<RuleDraft>;
    if (method === "POST" && this.rules.some((rule) => rule.name === name)) {
      const detail = "another rule already has this name";
      return { status: 409, json: { type: "about:blank", title: "Conflict", status: 409, detail } };
    }
    this.rules = this.rules.filter((rule) => rule !== before);
    if (method === "DELETE") return { status: 204 };
    const now = new Date().toISOString();
    const rule: Rule = {
      ...(body as RuleDraft),
      id: before?.id ?? this.nextId++,
      version: (before?.version ?? 0) + 1,
      provisioned: false,
      created_at: now,
      updated_at: now,
      state: "normal",
      series: [],
    };
    this.rules.push(rule);
    return ok(rule);
  }

  /** Adds a rule with defaults. */
  add(part: Partial<Rule>): Rule {
    const now = new Date().toISOString();
    const rule: Rule = {
      id: this.nextId++,
      version: 1,
      provisioned: false,
      created_at: now,
      updated_at: now,
      state: "normal",
      series: [],
      name: "Bad mood",
      kind: "share",
      of: "sentiment:negative",
      direction: "above",
      threshold: 0.5,
      scope: "all",
      group_by: "none",
      window: "5min",
      interval: "1min",
      min_posts: 10,
      for: "0s",
      keep_firing_for: "0s",
      severity: "warning",
      labels: {},
      annotations: {},
      enabled: true,
      ...part,
    };
    this.rules.push(rule);
    return rule;
  }
}

interface BacktestBody {
  rule: RuleDraft;
  start_date?: string;
  end_date?: string;
}

const MINUTE = 60_000;

function backtestOf({ rule, start_date, end_date }: BacktestBody): Backtest {
  const end = end_date ? Date.parse(end_date) : Date.now();
  const start = start_date ? Date.parse(start_date) : end - 86_400_000;
  const limit = rule.threshold ?? 0;
  const fired = end - (end - start) * 0.2;
  const points = Array.from({ length: Math.floor((end - start) / MINUTE) }, (_, index) => {
    const at = start + index * MINUTE;
    const fires = at >= fired && at < fired + (end - start) * 0.1;
    return {
      at: new Date(at).toISOString(),
      value: limit * (fires ? 1.3 : 0.6 + 0.2 * Math.sin(index / 40)),
      posts: 40,
      state: fires ? ("firing" as const) : ("normal" as const),
    };
  });
  return {
    start_date: new Date(start).toISOString(),
    end_date: new Date(end).toISOString(),
    step_seconds: 60,
    evaluations: points.length,
    firings: [
      {
        scope: rule.scope,
        pending_at: new Date(fired).toISOString(),
        fired_at: new Date(fired).toISOString(),
        resolved_at: new Date(fired + (end - start) * 0.1).toISOString(),
        duration_seconds: Math.round((end - start) / 10_000),
        peak: limit * 1.3,
      },
    ],
    series: [{ scope: rule.scope, points }],
  };
}
