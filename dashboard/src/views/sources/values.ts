import type { SourceField, SourceKind, SourceRequest } from "@/api/types";

/** The values of the fields of a form: texts, lists with one item per line, and booleans. */
export type Values = Record<string, string | boolean>;

/** The values of a form for these settings, with the defaults of the kind. */
export function valuesOf(kind: SourceKind, settings: Record<string, unknown>): Values {
  return Object.fromEntries(
    kind.fields.map((field) => [field.key, fieldValue(field, settings[field.key] ?? field.default)]),
  );
}

function fieldValue({ type }: SourceField, setting: unknown): string | boolean {
  if (type === "boolean") return setting === true;
  if (Array.isArray(setting)) return setting.join("\n");
  return setting === undefined || setting === null ? "" : String(setting);
}

/** The request of a form, without settings that have their default and secrets that were not entered. */
export function requestOf(name: string, kind: SourceKind, values: Values): SourceRequest {
  const settings: Record<string, unknown> = {};
  const secrets: Record<string, string> = {};
  for (const field of kind.fields) {
    const value = values[field.key];
    if (field.type === "secret") {
      if (typeof value === "string" && value !== "") secrets[field.key] = value;
    } else if (value !== undefined && value !== fieldValue(field, field.default)) {
      settings[field.key] = settingOf(field, value);
    }
  }
  return { name, kind: kind.kind, settings, secrets };
}

function settingOf({ type }: SourceField, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  if (type === "list") {
    return value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  }
  return type === "number" && value.trim() !== "" ? Number(value) : value;
}

/** The help of a setting without the notation of the configuration file. */
export function plainHelp(help: string): string {
  return help
    .replace(/\[("[^"\]]*"(?:, "[^"\]]*")*)\]/g, (_, items: string) => items.replaceAll('"', ""))
    .replace(/ ?"0s": only new posts\./, "")
    .replace('"90d"', "90 days")
    .replaceAll("`", "");
}
