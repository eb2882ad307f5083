import { useQuery } from "@tanstack/react-query";
import { keys } from "./keys";
import { send } from "./send";

/** API calls for the settings of the server. */

export type SettingValue = unknown;
export type SettingKind =
  | "text"
  | "secret"
  | "integer"
  | "number"
  | "boolean"
  | "duration"
  | "list"
  | "table";
export type SettingLayer = "default" | "database" | "file" | "environment" | "flag";

export interface Setting {
  key: string;
  help: string;
  type: SettingKind;
  choices: string[];
  optional: boolean;
  value: SettingValue;
  default: SettingValue;
  origin: { layer: SettingLayer; name: string };
  editable: boolean;
  changeable: boolean;
  stored: StoredSetting | null;
  version: number;
}

/** The last change of a setting. */
export interface StoredSetting {
  value: SettingValue;
  previous: SettingValue;
  changed_by: string;
  changed_at: string;
  ignored: string | null;
}

export interface SettingSection {
  name: string;
  help: string;
}

export interface SettingList {
  settings: Setting[];
  sections: SettingSection[];
}

export function useSettingsQuery() {
  return useQuery({
    queryKey: keys.settings.all,
    queryFn: ({ signal }) => send<SettingList>("GET", "/api/settings", { signal }),
  });
}

/** Stores a value. `null` removes the stored value, so that the configuration applies. */
export function changeSetting(setting: Setting, value: SettingValue): Promise<Setting> {
  const path = `/api/settings/${encodeURIComponent(setting.key)}`;
  const headers = { "If-Match": `"${setting.version}"` };
  return value === null
    ? send<Setting>("DELETE", path, { headers })
    : send<Setting>("PUT", path, { headers, body: { value } });
}
