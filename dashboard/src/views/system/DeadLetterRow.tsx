import type { DeadLetter } from "@/api/types";
import { ago, exact, plural } from "@/lib/format";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";

interface DeadLetterRowProps {
  letter: DeadLetter;
  now: number;
  chosen: boolean;
  onChoose: () => void;
  onShow: () => void;
}

/** A dead letter: its post and its error. */
export function DeadLetterRow({ letter, now, chosen, onChoose, onShow }: DeadLetterRowProps) {
  const name = letter.post_id ?? letter.origin_id;
  const content = letter.fields.find((field) => field.name === "content")?.value;
  return (
    <li className="flex items-start gap-3 border-b border-border px-4 last:border-b-0 py-2.5 text-sm">
      <Allowed scope="admin">
        <input
          type="checkbox"
          checked={chosen}
          onChange={onChoose}
          aria-label={`Select ${name}`}
          className="mt-1 size-4 accent-(--color-focus)"
        />
      </Allowed>
      <div className="min-w-0 flex-1">
        <p className="font-medium [overflow-wrap:anywhere]">{letter.error}</p>
        <p className="text-xs text-quiet [overflow-wrap:anywhere]">
          {letter.reason} · {name} · tried {plural(letter.deliveries, "time")} ·{" "}
          <span title={exact(letter.failed_at)}>{ago(letter.failed_at, now)}</span>
        </p>
        {content && (
          <p dir="auto" className="line-clamp-2 text-quiet [overflow-wrap:anywhere]">
            {content}
          </p>
        )}
      </div>
      <Button onClick={onShow} aria-label={`Show ${name}`}>
        Show
      </Button>
    </li>
  );
}
