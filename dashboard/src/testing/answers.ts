import type { Alert, Analysis, DeadLetter, PostDetail, Sentiment, System, Transition } from "@/api/types";
import { type Answer, iso, ok } from "./answer";
import { makeInsight } from "./insights";
import type { World } from "./world";

/** The fake REST API: answers a request from the data of a world. */
export function answer(world: World, method: string, url: URL, body?: unknown): Answer {
  const route = `${method} ${url.pathname}`;
  const { searchParams: params } = url;
  switch (route) {
    case "GET /api/posts":
      return ok(world.page(params));
    case "GET /api/sentiment/aggregate":
      return ok(world.aggregate(params));
    case "GET /api/authors":
      return ok({ source: "bluesky", names: world.names });
    case "GET /api/sources":
      return ok({
        sources: world.sources(),
        feeds: world.feeds,
        total: world.sources().length,
        managed: world.sourceWorld.names(),
      });
    case "GET /api/alerts":
      return ok(alertsOf(world, params));
    case "GET /api/demo":
      return ok(world.demo);
    case "DELETE /api/demo":
      world.demo = { ...world.demo, state: "removing" };
      return { status: 202, json: world.demo };
    case "GET /api/compare":
      return ok(world.compare(params));
    case "GET /api/insights/explain":
      return ok(makeInsight(params, world.insight(params)));
    case "GET /api/system":
      return ok(systemOf(world));
    case "GET /api/dead-letters":
      return ok({
        dead_letters: world.deadLetters,
        total: world.deadLetters.length,
        limit: 50,
        next_cursor: null,
      });
    case "POST /api/dead-letters/replay":
      return ok({ replayed: take(world, body) });
    case "POST /api/dead-letters/purge":
      return ok({ purged: take(world, body) });
    case "POST /api/analyze":
      return ok(analyzeAnswer(body));
    default:
      return (
        world.accounts.answer(method, url, body) ??
        world.settings.answer(method, url.pathname, body) ??
        world.notify.answer(method, url.pathname, body) ??
        world.rules.answer(method, url.pathname, body) ??
        world.sourceWorld.answer(method, url.pathname, body) ??
        alertOf(world, method, url.pathname, body) ??
        world.topics.answer(method, url, body) ??
        single(world, method, url.pathname)
      );
  }
}

function single(world: World, method: string, path: string): Answer {
  const [, feedName, wish] = /^\/api\/sources\/([^/]+)\/(pause|resume)$/.exec(path) ?? [];
  const feed = world.feeds.find(({ name }) => name === feedName);
  if (method === "POST" && feed) {
    feed.paused = wish === "pause";
    feed.state = feed.paused ? "paused" : "connected";
    return ok(feed);
  }
  const id = decodeURIComponent(path.split("/").at(-1) ?? "");
  const post = path.startsWith("/api/posts/") ? world.post(id) : undefined;
  const letter = path.startsWith("/api/dead-letters/")
    ? world.deadLetters.find((one) => one.id === id)
    : undefined;
  if (method === "GET" && letter) return ok(letter);
  if (method === "GET" && post) {
    const { scores } = analysisOf(post.content, post.sentiment.label);
    return ok({ ...post, scores, truncated: false } satisfies PostDetail);
  }
  if (method === "DELETE" && post) {
    world.remove(id);
    return { status: 204 };
  }
  return {
    status: 404,
    json: { type: "about:blank", title: "Not found", status: 404, detail: `there is nothing at ${path}` },
  };
}

function alertsOf(world: World, params: URLSearchParams) {
  const start = Date.parse(params.get("start_date") ?? "");
  const state = params.get("state");
  const alerts = world.alerts
    .filter((alert) => (!state || alert.state === state) && !(Date.parse(alert.triggered_at) < start))
    .sort((a, b) => b.triggered_at.localeCompare(a.triggered_at));
  return { alerts, total: alerts.length, limit: 50, next_cursor: null };
}

/** One alert with its timeline, or its acknowledgement. */
function alertOf(world: World, method: string, path: string, body: unknown): Answer | undefined {
  const [, id, wish] = /^\/api\/alerts\/(\d+)(?:\/(acknowledge))?$/.exec(path) ?? [];
  const index = world.alerts.findIndex((alert) => alert.id === Number(id));
  const alert = world.alerts[index];
  if (!alert) return undefined;
  if (method === "GET") return ok({ ...alert, timeline: timelineOf(alert) });
  if (wish !== "acknowledge") return undefined;
  const { note = "" } = body as { note?: string };
  const acknowledged = { at: iso(Date.now()), by: "ada", note };
  world.alerts[index] = { ...alert, acknowledged };
  return ok(world.alerts[index]);
}

function timelineOf(alert: Alert): Transition[] {
  const step = (id: number, to_state: Transition["to_state"], at: string): Transition => ({
    id,
    rule_id: alert.rule_id ?? 0,
    scope: alert.scope,
    fingerprint: "00",
    from_state: "normal",
    to_state,
    at,
    value: alert.actual_value,
    threshold: alert.threshold_value,
    severity: "warning",
    labels: {},
    annotations: {},
  });
  const fired = [step(1, "firing", alert.triggered_at)];
  return alert.resolved_at ? [...fired, step(2, "normal", alert.resolved_at)] : fired;
}

function take(world: World, body: unknown): number {
  const { ids } = (body ?? {}) as { ids?: string[] };
  const gone = ids ? world.deadLetters.filter(({ id }) => ids.includes(id)) : [...world.deadLetters];
  world.deadLetters = world.deadLetters.filter((letter) => !gone.includes(letter));
  return gone.length;
}

function analyzeAnswer(body: unknown): Analysis | { results: Analysis[] } {
  const { text = "", texts, explain } = body as { text?: string; texts?: string[]; explain?: boolean };
  if (texts) return { results: texts.map((one) => analysisOf(one)) };
  const whole = analysisOf(text);
  return explain ? { ...whole, explanation: { words: wordsOf(text, whole) } } : whole;
}

/** The influence of each word: the decrease of the confidence without the word's first occurrence. */
function wordsOf(text: string, { label, confidence }: Analysis) {
  return [...text.matchAll(/\S+/g)].map((match) => {
    const start = Array.from(text.slice(0, match.index)).length;
    const rest = analysisOf(text.replace(match[0], "")).scores.sentiment[label];
    const influence = confidence - rest;
    const end = start + Array.from(match[0]).length;
    return { text: match[0], start, end, sentiment: influence, emotion: influence };
  });
}

/** A keyword classifier, so that tests can predict the influence of words. */
function analysisOf(text: string, label?: Sentiment): Analysis {
  const good = (text.match(/wonderful|love|great|faster|best/gi) ?? []).length;
  const bad = (text.match(/outage|terrible|rude|cold|cancelled/gi) ?? []).length;
  const said: Sentiment = label ?? (good > bad ? "positive" : bad > good ? "negative" : "neutral");
  const confidence = Math.min(0.97, 0.6 + 0.15 * Math.abs(good - bad));
  const rest = (1 - confidence) / 2;
  const sentiment = { positive: rest, neutral: rest, negative: rest, [said]: confidence };
  const emotion = {
    anger: 0.05,
    disgust: 0.03,
    fear: 0.04,
    joy: 0.1,
    neutral: 0.2,
    sadness: 0.06,
    surprise: 0.08,
  };
  if (said === "positive") emotion.joy = 0.88;
  if (said === "negative") emotion.anger = 0.81;
  return {
    label: said,
    confidence,
    emotion: said === "positive" ? "joy" : said === "negative" ? "anger" : "neutral",
    scores: { sentiment, emotion },
    model: "builtin",
    tokens: text.split(/\s+/).length + 2,
    truncated: false,
  };
}

function systemOf(world: World): System {
  const now = Date.now();
  return {
    versions: { sentistream: "0.1.0", platform: "linux x86_64" },
    started_at: iso(now - 7_300_000),
    uptime_seconds: 7_300,
    database: { kind: "sqlite", state: "connected" },
    stream: {
      kind: "embedded",
      state: "connected",
      lag: { pending: 12, waiting: 8, claimed: 4, oldest_seconds: 0.42 },
      appended: 48_211,
      dead_letters: world.deadLetters.length,
      epoch: "1",
    },
    model: {
      state: "connected",
      info: {
        name: "builtin",
        architecture: "distilbert",
        precision: "f32",
        max_tokens: 512,
        parameters: 66_400_000,
        layers: 6,
        exits: [2, 3, 4, 5],
        languages: ["en"],
        warnings: [],
        load_ms: 412,
      },
      routes: world.routes,
    },
    throughput: { in_per_second: 24.6, out_per_second: 24.5 },
    consumers: [
      { name: "worker-1", claimed: 4, idle_seconds: 0.2 },
      { name: "worker-2", claimed: 0, idle_seconds: 340 },
    ],
    unscored: world.unscored,
    cache: { enabled: true, hits: 5_120, misses: 611 },
    live: { clients: 3 },
    components: world.components,
    sources: world.feeds,
    timestamp: iso(now),
  };
}

/** A dead letter with defaults. */
export function makeLetter(id: string, error: string, content: string): DeadLetter {
  return {
    id,
    origin_id: `${id}-origin`,
    post_id: `post-${id}`,
    reason: "invalid",
    error,
    deliveries: 1,
    failed_at: iso(Date.now() - 90_000),
    fields: [
      { name: "post_id", value: `post-${id}`, base64: null, cut: false },
      { name: "content", value: content, base64: null, cut: false },
    ],
  };
}
