import type { Setting, SettingKind, SettingLayer, SettingSection, SettingValue } from "@/api/settings";

/** A value as text: `""` is "not set", `true` is "on", `null` (no stored value) is "the configuration". */
export function valueText(value: SettingValue): string {
  if (value === null || value === undefined) return "the configuration";
  if (value === "") return "not set";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(itemText).join(", ");
  if (typeof value === "object" && Object.keys(value).length === 0) return "none";
  return JSON.stringify(value);
}

function itemText(item: unknown): string {
  return typeof item === "string" ? item : JSON.stringify(item);
}

/** The text of a value in a form. */
export function inputText(value: SettingValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The value of a text in a form. A text that is not a number is sent unchanged, and the server rejects it. */
export function typedValue(text: string, type: SettingKind): SettingValue {
  if (type !== "integer" && type !== "number") return text.trim();
  const number = Number(text);
  return text.trim() !== "" && Number.isFinite(number) ? number : text;
}

const LAYERS: Readonly<Record<SettingLayer, string>> = {
  default: "Default",
  database: "Changed here",
  file: "Set in",
  environment: "Set by",
  flag: "Set by",
};

/** "Set in sentistream.toml:12". */
export function originText({ layer, name }: Setting["origin"]): string {
  return name ? `${LAYERS[layer]} ${name}` : LAYERS[layer];
}

export type Which = "all" | "changed" | "editable";

/** The settings that match, grouped by section, in the order in which the server lists them. */
export function grouped(
  list: { settings: readonly Setting[]; sections: readonly SettingSection[] },
  filter: { words: string; which: Which },
): { section: SettingSection; settings: Setting[] }[] {
  const words = filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (setting: Setting) => {
    const text = `${setting.key} ${setting.help} ${inputText(setting.value)}`.toLowerCase();
    return words.every((word) => text.includes(word)) && isWanted(setting, filter.which);
  };
  return list.sections
    .map((section) => ({
      section,
      settings: list.settings.filter(
        (setting) => sectionOf(setting.key) === section.name && matches(setting),
      ),
    }))
    .filter(({ settings }) => settings.length > 0);
}

function isWanted(setting: Setting, which: Which): boolean {
  if (which === "changed") return setting.origin.layer !== "default";
  return which === "all" || setting.editable;
}

function sectionOf(key: string): string {
  return key.includes(".") ? key.slice(0, key.lastIndexOf(".")) : "";
}

/** "retention.minute_rollups" → "minute_rollups". */
export function nameOf(key: string): string {
  return key.slice(key.lastIndexOf(".") + 1);
}
