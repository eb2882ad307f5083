import { useQuery } from "@tanstack/react-query";
import { ApiError } from "./client";
import { keys } from "./keys";
import { send } from "./send";
import { readToken } from "./session";

/** API calls for backups, the schema and the release. */

export interface Backup {
  name: string;
  bytes: number;
  created_at: string;
}

export interface BackupProgress {
  name: string;
  started_at: string;
  written_bytes: number;
  expected_bytes: number;
}

export interface BackupList {
  supported: boolean;
  hint: string;
  command: string | null;
  folder: string | null;
  keep: number | null;
  backups: Backup[];
  running: BackupProgress | null;
  failed: { name: string; failed_at: string; reason: string } | null;
  free_bytes: number | null;
}

export interface MigrationList {
  database: string;
  applied: { name: string; ran_at: string; known: boolean }[];
  pending: string[];
}

export interface ReleaseNotes {
  version: string;
  title: string;
  groups: { kind: string; changes: string[] }[];
}

const RUNNING_MS = 500;
const IDLE_MS = 15_000;

/** The backups, polled more often while one is made. */
export function useBackupsQuery() {
  return useQuery({
    queryKey: keys.backups.all,
    queryFn: ({ signal }) => send<BackupList>("GET", "/api/backups", { signal }),
    refetchInterval: (query) => (query.state.data?.running ? RUNNING_MS : IDLE_MS),
  });
}

export function startBackup(): Promise<BackupProgress> {
  return send<BackupProgress>("POST", "/api/backups");
}

export function deleteBackup(name: string): Promise<void> {
  return send<void>("DELETE", backupPath(name));
}

/** Lets the browser download directly, unless a token must be sent. Then the file passes through memory. */
export async function downloadBackup(name: string): Promise<void> {
  const token = readToken();
  if (!token) return follow(backupPath(name), name);
  const response = await fetch(backupPath(name), { headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw new ApiError(response.status, response.statusText, "");
  const url = URL.createObjectURL(await response.blob());
  follow(url, name);
  // The download has started by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function useMigrationsQuery() {
  return useQuery({
    queryKey: keys.migrations,
    queryFn: ({ signal }) => send<MigrationList>("GET", "/api/system/migrations", { signal }),
  });
}

export function useReleaseQuery() {
  return useQuery({
    queryKey: keys.release,
    queryFn: ({ signal }) => send<ReleaseNotes>("GET", "/api/system/release", { signal }),
    staleTime: Number.POSITIVE_INFINITY,
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
