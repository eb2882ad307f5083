import { keys } from "@/api/keys";
import { endSilence } from "@/api/notify";
import type { Matcher, Silence } from "@/api/types";
import { duration } from "@/lib/format";
import { Allowed } from "@/shell/Allowed";
import { Button } from "@/ui/Button";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { spanText } from "../timeText";

interface SilenceRowProps {
  silence: Silence;
  now: number;
  onEdit: () => void;
}

/** A silence: its matchers, duration, author and reason. */
export function SilenceRow({ silence, now, onEdit }: SilenceRowProps) {
  const end = useChange(() => endSilence(silence), [keys.silences.all]);
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-border px-4 py-2.5 last:border-b-0">
      <div className="min-w-60 flex-1">
        <p className="flex flex-wrap gap-1.5">
          {silence.matchers.map((matcher) => (
            <MatcherMark key={`${matcher.label}${matcher.op}${matcher.value}`} matcher={matcher} />
          ))}
        </p>
        <p className="mt-1 [overflow-wrap:anywhere]">{silence.comment}</p>
        <p className="text-xs text-quiet">
          <bdi>{silence.author}</bdi> · {spanText(silence.starts_at, silence.ends_at)}
          {leftText(silence, now)}
        </p>
      </div>
      <Allowed scope="respond">
        {silence.state !== "expired" && (
          <div className="flex flex-wrap gap-2">
            <Button onClick={onEdit}>Edit</Button>
            <ConfirmButton
              action="End"
              title="End this silence?"
              text={
                silence.state === "pending"
                  ? "The silence is deleted before it starts."
                  : "Matching alerts send notifications again, unless something else suppresses them."
              }
              pending={end.isPending}
              error={end.error}
              onConfirm={() => end.mutate()}
            />
          </div>
        )}
      </Allowed>
    </li>
  );
}

/** A condition on a label. */
export function MatcherMark({ matcher: { label, op, value } }: { matcher: Matcher }) {
  return (
    <code className="rounded-sm bg-raised px-1.5 py-0.5 font-mono text-xs [overflow-wrap:anywhere]">
      {label} {op} {JSON.stringify(value)}
    </code>
  );
}

function leftText({ state, starts_at, ends_at }: Silence, now: number): string {
  if (state === "expired") return "";
  if (state === "pending") return `, starts in ${duration((Date.parse(starts_at) - now) / 1_000)}`;
  return `, ${duration(Math.max(0, Date.parse(ends_at) - now) / 1_000)} left`;
}
