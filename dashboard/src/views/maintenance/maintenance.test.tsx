import { screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { open, serve } from "@/testing/app";
import { bytes } from "./bytes";

const { state } = serve();

describe("maintenance", () => {
  it("backup is made and deleted", async () => {
    const { user } = open("/settings/maintenance");
    expect(await screen.findByText("No backups yet")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Back up now" }));
    expect(await screen.findByText("sentistream-1.db")).toBeTruthy();
    expect(screen.getByText(/1.5 KiB/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Delete" }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: "Delete" }));
    await waitFor(() => expect(state.world.settings.backups.backups).toEqual([]));
  });

  it("running and failed backups are shown", async () => {
    state.world.settings.backups = {
      ...state.world.settings.backups,
      running: { name: "b", started_at: "", written_bytes: 1_024, expected_bytes: 4_096 },
      failed: { name: "a", failed_at: "", reason: "the disk is full" },
    };
    open("/settings/maintenance");
    expect(await screen.findByRole("progressbar", { name: "Backup in progress" })).toBeTruthy();
    expect(screen.getByText("1 KiB of at most 4 KiB")).toBeTruthy();
    expect(screen.getByRole("alert").textContent).toContain("The disk is full.");
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Backing up" }).disabled).toBe(true);
  });

  it("undeleted old backups are not reported as a failed backup", async () => {
    const reason = "the backup is complete, but old ones remain: permission denied";
    state.world.settings.backups = {
      ...state.world.settings.backups,
      failed: { name: "a", failed_at: "", reason },
    };
    open("/settings/maintenance");
    const alert = await screen.findByRole("alert");
    expect(alert.textContent).toContain("The backup is complete, but old ones remain");
    expect(alert.textContent).not.toContain("backup failed");
  });

  it("Postgres shows a backup command instead of a button", async () => {
    state.world.settings.backups = {
      ...state.world.settings.backups,
      supported: false,
      command: 'pg_dump "$DATABASE_URL"',
    };
    open("/settings/maintenance");
    expect(await screen.findByText('pg_dump "$DATABASE_URL"')).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Back up now" })).toBeNull();
  });

  it("schema, metrics and release notes are shown", async () => {
    open("/settings/maintenance");
    expect(await screen.findByText("up to date")).toBeTruthy();
    expect(screen.getByRole("link", { name: "Open metrics" }).getAttribute("href")).toBe("/metrics");
    expect(await screen.findByText("Settings in the dashboard")).toBeTruthy();
    expect(screen.getByText("backup_keep").tagName).toBe("CODE");
    expect(screen.getByText("Roles (people)")).toBeTruthy();
  });

  it("sizes have binary units", () => {
    expect([0, 640, 1_536, 3 * 2 ** 30].map(bytes)).toEqual(["0 B", "640 B", "1.5 KiB", "3 GiB"]);
  });
});
