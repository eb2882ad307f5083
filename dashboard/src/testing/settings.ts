import type { BackupList } from "@/api/maintenance";
import type { Setting, SettingList } from "@/api/settings";
import { type Answer, iso, ok } from "./answer";

/** A setting with defaults. */
export function makeSetting(key: string, part: Partial<Setting> = {}): Setting {
  return {
    key,
    help: `The meaning of ${key}.`,
    type: "text",
    choices: [],
    optional: false,
    value: "",
    default: "",
    origin: { layer: "default", name: "" },
    editable: false,
    changeable: false,
    stored: null,
    version: 0,
    ...part,
  };
}

const editable = { editable: true, changeable: true };

/** The settings and backups of the fake server. */
export class SettingWorld {
  readonly settings: Setting[] = [
    makeSetting("cache.ttl", {
      type: "duration",
      value: "5s",
      default: "2s",
      origin: { layer: "file", name: "sentistream.toml:2" },
      changeable: true,
    }),
    makeSetting("alerts.negative_share", { type: "number", value: 0.5, default: 0.5, ...editable }),
    makeSetting("retention.posts", { type: "duration", optional: true, ...editable }),
    makeSetting("llm.api_key", { type: "secret", value: "***" }),
  ];
  /** The validation errors, by the JSON of the rejected value. */
  readonly errors: Record<string, string> = {};
  backups: BackupList = {
    supported: true,
    hint: "To restore a backup, stop the server.",
    command: null,
    folder: "data/backups",
    keep: 7,
    backups: [],
    running: null,
    failed: null,
    free_bytes: 5 * 2 ** 30,
  };

  answer(method: string, path: string, body: unknown): Answer | undefined {
    if (path === "/api/settings") return ok(this.list());
    if (path === "/api/system/migrations") {
      const applied = ["2026-01-01-000000_schema", "2026-03-15-000300_settings"];
      return ok({
        database: "SQLite 3.50.4",
        applied: applied.map((name) => ({ name, ran_at: iso(Date.now()), known: true })),
        pending: [],
      });
    }
    if (path === "/api/system/release") {
      return ok({
        version: "0.1.0",
        title: "Unreleased",
        groups: [
          {
            kind: "Added",
            changes: ["Settings in the dashboard", "`backup_keep`", "Roles ([people](docs/people.md))"],
          },
        ],
      });
    }
    if (path.startsWith("/api/backups")) return this.backup(method, path);
    const key = decodeURIComponent(path.replace("/api/settings/", ""));
    const setting = this.settings.find((found) => found.key === key);
    return path.startsWith("/api/settings/") && setting ? this.change(setting, method, body) : undefined;
  }

  private list(): SettingList {
    const names = new Set(this.settings.map(({ key }) => key.slice(0, key.lastIndexOf("."))));
    return {
      settings: this.settings,
      sections: [...names].map((name) => ({ name, help: `About ${name}.` })),
    };
  }

  private change(setting: Setting, method: string, body: unknown): Answer {
    const value = method === "DELETE" ? null : (body as { value: unknown }).value;
    const message = this.errors[JSON.stringify(value)];
    if (message) {
      return {
        status: 422,
        json: { title: "Unprocessable Entity", status: 422, errors: [{ field: "value", message }] },
      };
    }
    setting.stored = {
      value,
      previous: setting.stored?.value ?? null,
      changed_by: "ada",
      changed_at: iso(Date.now()),
      ignored: null,
    };
    setting.version += 1;
    setting.value = value ?? setting.default;
    setting.origin = { layer: value === null ? "default" : "database", name: "" };
    return ok(setting);
  }

  private backup(method: string, path: string): Answer {
    if (method === "GET") return ok(this.backups);
    const name = path.split("/").at(-1) ?? "";
    if (method === "DELETE") {
      this.backups = { ...this.backups, backups: this.backups.backups.filter((kept) => kept.name !== name) };
      return { status: 204 };
    }
    const progress = {
      name: "sentistream-1.db",
      started_at: iso(Date.now()),
      written_bytes: 0,
      expected_bytes: 2_048,
    };
    const made = { name: progress.name, bytes: 1_536, created_at: iso(Date.now()) };
    this.backups = { ...this.backups, backups: [made, ...this.backups.backups] };
    return { status: 202, json: progress };
  }
}
