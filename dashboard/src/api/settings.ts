import { useQuery } from "@tanstack/react-query";
import { api, dataOf, ifMatch } from "./client";
import { keys } from "./keys";
import type { components } from "./schema";

/** API calls for the settings of the server. */

type Schemas = components["schemas"];

export type Setting = Schemas["SettingView"];
export type SettingKind = Schemas["SettingKind"];
export type SettingLayer = Schemas["Layer"];
export type SettingSection = Schemas["SectionView"];
export type SettingList = Schemas["SettingList"];
/** A value. The `SettingKind` of its setting names the type. */
export type SettingValue = unknown;

export function useSettingsQuery() {
  return useQuery({
    queryKey: keys.settings.all,
    queryFn: ({ signal }) => dataOf(api.GET("/api/settings", { signal })),
  });
}

/** Stores a value. `null` removes the stored value, and the value of the configuration applies again. */
export function changeSetting({ key, version }: Setting, value: SettingValue): Promise<Setting> {
  const params = { path: { key }, header: ifMatch(version) };
  return value === null
    ? dataOf(api.DELETE("/api/settings/{key}", { params }))
    : dataOf(api.PUT("/api/settings/{key}", { params, body: { value } }));
}
