import { useMutation } from "@tanstack/react-query";
import { Download, Trash2 } from "lucide-react";
import { keys } from "@/api/keys";
import { type Backup, deleteBackup, downloadBackup } from "@/api/maintenance";
import { ago, exact } from "@/lib/format";
import { Button } from "@/ui/Button";
import { ConfirmButton, FailureNote } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { bytes } from "./bytes";

/** A backup with its size and age. */
export function BackupRow({ backup, now }: { backup: Backup; now: number }) {
  const removal = useChange(() => deleteBackup(backup.name), [keys.backups.all]);
  const download = useMutation({ mutationFn: () => downloadBackup(backup.name) });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-52 flex-1">
        <p className="font-medium [overflow-wrap:anywhere]">{backup.name}</p>
        <p className="tabular text-xs text-quiet">
          {bytes(backup.bytes)} · <span title={exact(backup.created_at)}>{ago(backup.created_at, now)}</span>
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button
          onClick={() => download.mutate()}
          disabled={download.isPending}
          aria-label={`Download ${backup.name}`}
        >
          <Download size={14} aria-hidden="true" />
          {download.isPending ? "Downloading" : "Download"}
        </Button>
        <ConfirmButton
          action="Delete"
          icon={<Trash2 size={14} aria-hidden="true" />}
          title={`Delete ${backup.name}?`}
          text="The file is removed from the server. This cannot be undone."
          pending={removal.isPending}
          error={removal.error}
          onConfirm={() => removal.mutate()}
        />
        <FailureNote error={download.error} />
      </div>
    </li>
  );
}
