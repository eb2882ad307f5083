import type {
  Delivery,
  DeliveryDetail,
  InhibitRule,
  InhibitRuleDraft,
  MessagePreviewDraft,
  MuteTiming,
  MuteTimingDraft,
  Receiver,
  ReceiverDraft,
  Route,
  RouteDraft,
  Silence,
  SilenceDraft,
} from "@/api/types";
import { type Answer, ok } from "./answer";

/** Receivers, routes, mute timings, silences and deliveries of a world. */
export class NotifyWorld {
  silences: Silence[] = [];
  receivers: Receiver[] = [];
  routes: Route[] = [];
  muteTimings: MuteTiming[] = [];
  inhibitRules: InhibitRule[] = [];
  deliveries: DeliveryDetail[] = [];
  private nextId = 1;

  /** Answers requests below `/api/alerts/`. Returns `undefined` for other paths. */
  answer(method: string, path: string, body: unknown): Answer | undefined {
    const [, what, id, wish] =
      /^\/api\/alerts\/(silences|receivers|deliveries|routes|mute-timings|inhibit-rules)(?:\/(\d+))?(?:\/(test|preview|resend))?$/.exec(
        path,
      ) ?? [];
    if (what === "silences") return this.silence(method, Number(id), body as SilenceDraft);
    if (what === "receivers" && wish === "preview") return this.message(body as MessagePreviewDraft);
    if (what === "inhibit-rules") return this.inhibitRule(method, Number(id), body as InhibitRuleDraft);
    if (wish === "resend") return this.resend(Number(id));
    if (what === "receivers") {
      return wish ? this.test(Number(id)) : this.receiver(method, Number(id), body as ReceiverDraft);
    }
    if (wish === "preview") return this.preview((body as { labels: Record<string, string> }).labels);
    if (what === "routes") return this.route(method, Number(id), body as RouteDraft);
    if (what === "mute-timings") return this.muteTiming(method, Number(id), body as MuteTimingDraft);
    if (what !== "deliveries") return undefined;
    if (!id) return ok({ deliveries: [...this.deliveries].reverse(), limit: 20, next_cursor: null });
    return ok(this.deliveries.find((one) => one.id === Number(id)));
  }

  private silence(method: string, id: number, body: SilenceDraft): Answer {
    if (method === "GET") return ok({ silences: this.silences });
    if (method === "DELETE") {
      this.silences = this.silences.map((one) => (one.id === id ? { ...one, state: "expired" } : one));
      return { status: 204 };
    }
    const silence: Silence = { ...body, ...this.stored(id), state: "active" };
    this.silences = [...this.silences.filter((one) => one.id !== silence.id), silence];
    return ok(silence);
  }

  private receiver(method: string, id: number, body: ReceiverDraft): Answer {
    if (method === "GET") return ok({ receivers: this.receivers });
    if (method === "DELETE") {
      this.receivers = this.receivers.filter((one) => one.id !== id);
      return { status: 204 };
    }
    const { secrets: changes, ...draft } = body;
    const secrets = new Set(this.receivers.find((one) => one.id === id)?.secrets);
    for (const [name, value] of Object.entries(changes ?? {})) {
      if (value === null) secrets.delete(name);
      else secrets.add(name);
    }
    const receiver: Receiver = {
      ...draft,
      send_resolved: draft.send_resolved ?? true,
      max_alerts: draft.max_alerts ?? 100,
      secrets: [...secrets],
      ...this.stored(id),
    };
    this.receivers = [...this.receivers.filter((one) => one.id !== receiver.id), receiver];
    return ok(receiver);
  }

  private route(method: string, id: number, body: RouteDraft): Answer {
    if (method === "GET") return ok({ routes: this.routes });
    if (method === "DELETE") {
      this.routes = this.routes.filter((one) => one.id !== id);
      return { status: 204 };
    }
    const route: Route = { ...body, ...this.stored(id) };
    this.routes = [...this.routes.filter((one) => one.id !== route.id), route];
    return ok(route);
  }

  private muteTiming(method: string, id: number, body: MuteTimingDraft): Answer {
    if (method === "GET") return ok({ mute_timings: this.muteTimings });
    if (method === "DELETE") {
      this.muteTimings = this.muteTimings.filter((one) => one.id !== id);
      return { status: 204 };
    }
    const timing: MuteTiming = { ...body, ...this.stored(id) };
    this.muteTimings = [...this.muteTimings.filter((one) => one.id !== timing.id), timing];
    return ok(timing);
  }

  private inhibitRule(method: string, id: number, body: InhibitRuleDraft): Answer {
    if (method === "GET") return ok({ inhibit_rules: this.inhibitRules });
    if (method === "DELETE") {
      this.inhibitRules = this.inhibitRules.filter((one) => one.id !== id);
      return { status: 204 };
    }
    const rule: InhibitRule = { ...body, ...this.stored(id) };
    this.inhibitRules = [...this.inhibitRules.filter((one) => one.id !== rule.id), rule];
    return ok(rule);
  }

  /** The texts of the templates as they are. A title that ends with `{{` is an error. */
  private message({ templates }: MessagePreviewDraft): Answer {
    const { title, text } = templates ?? {};
    if (title?.endsWith("{{")) {
      const errors = [{ field: "templates.title", message: "unexpected end of input (line 1)" }];
      return { status: 422, json: { title: "Invalid", status: 422, detail: "", errors } };
    }
    return ok({ title: title || "FIRING: Mood about Acme", text: text || "78 % are negative", payload: {} });
  }

  private resend(id: number): Answer {
    const before = this.deliveries.find((one) => one.id === id);
    const sent = makeDelivery(1_000 + this.nextId++, before ? { receiver: before.receiver } : {});
    this.deliveries.push(sent);
    return { status: 202, json: sent };
  }

  /** The route of an alert with these labels. Every comparison of a matcher is read as equality. */
  private preview(labels: Record<string, string>): Answer {
    const taking = this.routes.find(({ matchers }) =>
      (matchers ?? []).every(({ label, value }) => (labels[label] ?? "") === value),
    );
    const routes = taking
      ? [
          {
            name: taking.name,
            receiver: taking.receiver,
            group: {},
            muted_by: taking.mute_timings ?? [],
            outside_active_timings: false,
          },
        ]
      : [];
    return ok({ routes, silences: [], inhibited_by: [] });
  }

  private test(id: number): Answer {
    const receiver = this.receivers.find((one) => one.id === id);
    const delivery = makeDelivery(this.nextId++, { receiver: receiver?.name ?? "", reason: "test" });
    this.deliveries.push(delivery);
    return ok(delivery);
  }

  private stored(id: number) {
    const now = new Date().toISOString();
    return { id: id || this.nextId++, version: 1, provisioned: false, created_at: now, updated_at: now };
  }
}

/** A successful delivery with defaults. */
export function makeDelivery(id: number, part: Partial<Delivery> = {}): DeliveryDetail {
  const now = new Date().toISOString();
  return {
    id,
    receiver: "on-call",
    group_key: "alertname=negative_share",
    reason: "firing",
    state: "delivered",
    attempts: 1,
    created_at: now,
    next_attempt_at: null,
    finished_at: now,
    error: null,
    message: {} as Delivery["message"],
    log: [{ at: now, elapsed_ms: 84, status: 200, answer: "ok", error: null }],
    ...part,
  };
}
