import { describe, expect, it } from "vitest";
import type { Rule } from "@/api/types";
import { draftOf, newDraft, ruleOf } from "./ruleDraft";
import { ruleSentence } from "./ruleWords";

const rule: Rule = {
  id: 1,
  version: 3,
  provisioned: false,
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: "2026-01-01T00:00:00.000Z",
  state: "normal",
  series: [],
  name: "Bad mood",
  kind: "share",
  of: "sentiment:negative",
  direction: "above",
  threshold: 0.55,
  scope: "text:acme: phone",
  group_by: "none",
  window: "5min",
  interval: "1min",
  min_posts: 10,
  for: "2min",
  keep_firing_for: "5min",
  recovery_threshold: 0.45,
  severity: "critical",
  labels: { team: "social" },
  annotations: { summary: "{{value}} of posts", runbook: "https://example.org" },
  enabled: true,
};

describe("rule draft", () => {
  it("draft keeps all fields and shows shares in percent", () => {
    const draft = draftOf(rule);
    expect([draft.threshold, draft.recovery, draft.scopeName]).toEqual(["55", "45", "acme: phone"]);
    const { id, version, provisioned, created_at, updated_at, state, series, ...written } = rule;
    expect(ruleOf(draft)).toEqual(written);
  });

  it("counting fields and unknown fields are kept", () => {
    const kept = {
      distinct: "texts",
      min_authors: 3,
      no_data: "keep",
      delay: "30min",
      unknown_field: "x",
    } as const;
    expect(ruleOf(draftOf({ ...rule, ...kept }))).toMatchObject(kept);
  });

  it("request omits fields of other rule kinds", () => {
    const shift: Rule = {
      ...rule,
      kind: "shift",
      significance: 0.001,
      baseline_window: "2h",
      scope: "topic:acme",
    };
    expect(ruleOf(draftOf(shift))).toMatchObject({
      significance: 0.001,
      baseline_window: "2h",
      scope: "topic:acme",
    });
    expect(ruleOf(newDraft())).not.toHaveProperty("significance");
    const absence = ruleOf({
      ...newDraft(),
      kind: "absence",
      threshold: "50",
      scopeKind: "source",
      scopeName: "rss",
    });
    expect(absence).not.toHaveProperty("threshold");
    expect(absence).not.toHaveProperty("of");
    expect(absence.scope).toBe("source:rss");
    expect(ruleOf({ ...newDraft(), kind: "volume", of: "posts", threshold: "50" }).threshold).toBe(50);
  });

  it("rule sentence names condition, window and scope", () => {
    expect(ruleSentence(rule)).toBe("Share of negative posts above 55.0% within 5 min, with “acme: phone”");
    expect(ruleSentence({ ...rule, kind: "absence", scope: "source:rss" })).toBe(
      "No posts within 5 min, in rss",
    );
  });
});
