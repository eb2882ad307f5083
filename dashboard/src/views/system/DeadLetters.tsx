import { RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Selection } from "@/api/types";
import { plural } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { Allowed } from "@/shell/Allowed";
import { ReadOnlyNote } from "@/shell/ReadOnlyNote";
import { Card } from "@/ui/Card";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { cx } from "@/ui/cx";
import { LoadMore } from "@/ui/LoadMore";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { DeadLetterRow } from "./DeadLetterRow";
import { LetterDialog } from "./LetterDialog";
import { useDeadLetters } from "./useDeadLetters";

/** The posts that could not be read or analysed, with replay and purge. */
export function DeadLetters() {
  const dead = useDeadLetters();
  const { query, letters, total } = dead;
  return (
    <Card title={total > 0 ? `Dead letters, ${plural(total, "post")}` : "Dead letters"}>
      {query.error && !letters ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : !letters ? (
        <SkeletonRows rows={3} />
      ) : letters.length === 0 ? (
        <EmptyState title="No dead letters">
          <p>Posts that cannot be read or analysed appear here.</p>
        </EmptyState>
      ) : (
        <Letters dead={dead} />
      )}
    </Card>
  );
}

function Letters({ dead }: { dead: ReturnType<typeof useDeadLetters> }) {
  const { query, letters = [], total, replay, purge } = dead;
  const now = useNow(10_000);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useState<string | null>(null);
  const ids = letters.map(({ id }) => id).filter((id) => chosen.has(id));
  const selection: Selection = ids.length > 0 ? { ids } : { all: true };
  const what = ids.length > 0 ? plural(ids.length, "dead letter") : `all ${plural(total, "dead letter")}`;
  const done = { onSuccess: () => setChosen(new Set()) };
  return (
    <>
      <ReadOnlyNote scope="admin" what="dead letters" />
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <Allowed scope="admin">
          <ConfirmButton
            action={ids.length > 0 ? `Replay ${ids.length}` : "Replay all"}
            icon={<RotateCcw size={14} aria-hidden="true" />}
            title={`Replay ${what}?`}
            text="The posts return to the stream and are analysed again. Posts that fail again come back here."
            pending={replay.isPending}
            error={replay.error}
            onConfirm={() => replay.mutate(selection, done)}
          />
          <ConfirmButton
            action={ids.length > 0 ? `Purge ${ids.length}` : "Purge all"}
            icon={<Trash2 size={14} aria-hidden="true" />}
            title={`Purge ${what}?`}
            text="The posts are deleted permanently."
            pending={purge.isPending}
            error={purge.error}
            onConfirm={() => purge.mutate(selection, done)}
          />
        </Allowed>
        <p role="status" className="text-sm text-quiet">
          {replay.data && `${plural(replay.data.replayed, "post")} replayed`}
          {purge.data && ` ${plural(purge.data.purged, "post")} purged`}
        </p>
      </div>
      <ul className={cx("-mx-4 border-t border-border", !query.hasNextPage && "-mb-4")}>
        {letters.map((letter) => (
          <DeadLetterRow
            key={letter.id}
            letter={letter}
            now={now}
            chosen={chosen.has(letter.id)}
            onChoose={() => setChosen(toggled(chosen, letter.id))}
            onShow={() => setShown(letter.id)}
          />
        ))}
      </ul>
      <LoadMore query={query}>Show more</LoadMore>
      <LetterDialog id={shown} onClose={() => setShown(null)} />
    </>
  );
}

function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}
