import { DatabaseBackup } from "lucide-react";
import { keys } from "@/api/keys";
import { type BackupList, type BackupProgress, startBackup, useBackupsQuery } from "@/api/maintenance";
import { asSentence } from "@/api/problemText";
import { useNow } from "@/lib/useNow";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { FailureNote } from "@/ui/ConfirmButton";
import { Command, EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { useChange } from "@/ui/useSave";
import { BackupRow } from "./BackupRow";
import { bytes } from "./bytes";

/** The backups of the embedded database. For Postgres, the commands that make a backup. */
export function BackupsCard() {
  const query = useBackupsQuery();
  const start = useChange(startBackup, [keys.backups.all]);
  const list = query.data;
  const action = list?.supported && (
    <Button look="solid" onClick={() => start.mutate()} disabled={start.isPending || list.running != null}>
      <DatabaseBackup size={14} aria-hidden="true" />
      {list.running ? "Backing up" : "Back up now"}
    </Button>
  );
  return (
    <Card title="Backups" action={action}>
      <FailureNote error={start.error} />
      {list ? (
        <Content list={list} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : (
        <SkeletonRows rows={3} />
      )}
    </Card>
  );
}

function Content({ list }: { list: BackupList }) {
  const now = useNow(30_000);
  if (!list.supported) {
    return (
      <div className="flex flex-col gap-3 text-sm text-quiet">
        <p>{list.hint}</p>
        {list.command?.split("\n").map((line) => (
          <Command key={line}>{line}</Command>
        ))}
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-3 text-sm">
      {list.running && <Progress progress={list.running} />}
      {list.failed && <p role="alert">▼ Error during the last backup: {asSentence(list.failed.reason)}</p>}
      {list.backups.length === 0 ? (
        <EmptyState title="No backups yet">
          <p>A backup is a copy of the database, made while the server runs.</p>
        </EmptyState>
      ) : (
        <ul className="-mx-4 border-y border-border">
          {list.backups.map((backup) => (
            <BackupRow key={backup.name} backup={backup} now={now} />
          ))}
        </ul>
      )}
      <p className="text-xs text-quiet [overflow-wrap:anywhere]">
        The newest {list.keep} backups are kept in {list.folder}
        {list.free_bytes != null && <>, with {bytes(list.free_bytes)} free</>}. {list.hint}
      </p>
    </div>
  );
}

function Progress({ progress }: { progress: BackupProgress }) {
  const { written_bytes: written, expected_bytes: expected } = progress;
  return (
    <div className="flex flex-col gap-1">
      <progress
        aria-label="Backup in progress"
        className="block h-1.5 w-full appearance-none overflow-hidden rounded-full bg-raised [&::-moz-progress-bar]:bg-focus [&::-webkit-progress-bar]:bg-raised [&::-webkit-progress-value]:bg-focus"
        value={Math.min(written, expected)}
        max={Math.max(expected, 1)}
      />
      <p className="tabular text-xs text-quiet">
        {bytes(written)} of at most {bytes(expected)}
      </p>
    </div>
  );
}
