import type { ManagedSource, SourceKind, SourceRequest, Trial } from "@/api/types";
import { type Answer, iso, ok } from "./answer";

/** The kinds of sources of the fake server. */
export const SOURCE_KINDS: readonly SourceKind[] = [
  {
    kind: "rss",
    title: "Feeds and web pages",
    about: "RSS, Atom and JSON feeds.",
    fields: [
      { key: "feeds", title: "Feeds", help: "URLs of feeds.", type: "list", required: true, default: [] },
      {
        key: "min_interval",
        title: "Min interval",
        help: "The shortest time between two polls.",
        type: "duration",
        required: false,
        default: "5min",
      },
      {
        key: "history",
        title: "History",
        help: "How far back to read.",
        type: "duration",
        required: false,
        default: "0s",
      },
    ],
  },
  {
    kind: "webhook",
    title: "Webhook",
    about: "Posts that other programs send.",
    fields: [
      {
        key: "secret",
        title: "Secret",
        help: "Signs requests.",
        type: "secret",
        required: true,
        default: null,
      },
      {
        key: "signature",
        title: "Signature",
        help: "The form.",
        type: "text",
        required: false,
        default: "sha256",
      },
      {
        key: "text_path",
        title: "Text path",
        help: "The text.",
        type: "text",
        required: false,
        default: "text",
      },
    ],
  },
  {
    kind: "mastodon",
    title: "Mastodon",
    about: "Public and tag timelines.",
    fields: [
      { key: "instances", title: "Instances", help: "Instances.", type: "list", required: true, default: [] },
      {
        key: "local",
        title: "Local",
        help: "Only local posts.",
        type: "boolean",
        required: false,
        default: true,
      },
      {
        key: "token",
        title: "Token",
        help: "The token of a user.",
        type: "secret",
        required: false,
        default: null,
      },
    ],
  },
];

/** The sources that were added to the fake server. */
export class SourceWorld {
  readonly managed: ManagedSource[] = [];
  /** The requests to test a source. */
  readonly tested: SourceRequest[] = [];
  trial: Trial = { ok: true, message: "1 post was read.", posts: [], rejected: [], filtered: 0 };

  names(): string[] {
    return this.managed.map(({ name }) => name);
  }

  answer(method: string, path: string, body: unknown): Answer | undefined {
    if (!path.startsWith("/api/sources/") && `${method} ${path}` !== "POST /api/sources") return undefined;
    if (path === "/api/sources/kinds") return ok({ kinds: SOURCE_KINDS });
    if (path === "/api/sources/test") {
      this.tested.push(body as SourceRequest);
      return ok(this.trial);
    }
    if (path === "/api/sources/recognize") {
      const { address } = body as { address: string };
      return ok({ name: "blog", kind: "rss", settings: { feeds: [address] } });
    }
    if (method === "POST" && path === "/api/sources") {
      const made = sourceOf(body as SourceRequest, 1);
      this.managed.push(made);
      return { status: 201, json: made };
    }
    return this.one(method, decodeURIComponent(path.split("/")[3] ?? ""), body);
  }

  private one(method: string, name: string, body: unknown): Answer | undefined {
    const at = this.managed.findIndex((source) => source.name === name);
    const before = this.managed[at];
    if (!before) return undefined;
    if (method === "GET") return ok(before);
    if (method === "PUT") {
      this.managed[at] = sourceOf(body as SourceRequest, before.version + 1);
      return ok(this.managed[at]);
    }
    if (method !== "DELETE") return undefined;
    this.managed.splice(at, 1);
    return { status: 204 };
  }
}

function sourceOf({ name, kind, settings = {}, secrets }: SourceRequest, version: number): ManagedSource {
  return {
    id: 1,
    name,
    kind,
    settings,
    secrets: Object.keys(secrets ?? {}),
    version,
    provisioned: false,
    created_at: iso(Date.now()),
    updated_at: iso(Date.now()),
  };
}
