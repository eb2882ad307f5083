import { useQuery } from "@tanstack/react-query";
import { ApiError, api, dataOf } from "./client";
import { keys } from "./keys";
import type { components } from "./schema";
import { readToken } from "./session";
import { untilLoaded } from "./untilLoaded";

/** API calls for backups, the schema and the release. */

type Schemas = components["schemas"];

export type Backup = Schemas["Backup"];
export type BackupProgress = Schemas["BackupProgress"];
export type BackupList = Schemas["BackupList"];
export type MigrationList = Schemas["MigrationList"];
export type ReleaseNotes = Schemas["ReleaseNotes"];

const RUNNING_MS = 500;
const IDLE_MS = 15_000;

/** The backups, polled more often while one is made. */
export function useBackupsQuery() {
  return useQuery({
    queryKey: keys.backups.all,
    queryFn: ({ signal }) => dataOf(api.GET("/api/backups", { signal })),
    refetchInterval: (query) => (query.state.data?.running ? RUNNING_MS : IDLE_MS),
  });
}

export function startBackup(): Promise<BackupProgress> {
  return dataOf(api.POST("/api/backups"));
}

export async function deleteBackup(name: string): Promise<void> {
  await dataOf(api.DELETE("/api/backups/{name}", { params: { path: { name } } }));
}

/** Downloads a backup. With a token the file is read into memory, because a browser download sends no token. */
export async function downloadBackup(name: string): Promise<void> {
  const token = readToken();
  if (!token) return follow(backupPath(name), name);
  const response = await fetch(backupPath(name), { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new ApiError(response.status, response.statusText, "");
  const url = URL.createObjectURL(await response.blob());
  follow(url, name);
  // The URL is needed until the download has started.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function useMigrationsQuery() {
  return useQuery({
    queryKey: keys.migrations,
    queryFn: ({ signal }) => dataOf(api.GET("/api/system/migrations", { signal })),
  });
}

export function useReleaseQuery() {
  return useQuery({
    queryKey: keys.release,
    queryFn: ({ signal }) => dataOf(api.GET("/api/system/release", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: untilLoaded,
  });
}

function backupPath(name: string): string {
  return `/api/backups/${encodeURIComponent(name)}`;
}

function follow(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
