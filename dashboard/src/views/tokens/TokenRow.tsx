import { keys } from "@/api/keys";
import { deleteToken } from "@/api/tokens";
import type { ApiToken } from "@/api/types";
import { ago, duration, exact } from "@/lib/format";
import { ConfirmButton } from "@/ui/ConfirmButton";
import { useChange } from "@/ui/useSave";
import { scopeWords } from "./scopes";

interface TokenRowProps {
  token: ApiToken;
  withOwner: boolean;
  now: number;
}

/** A token with its scopes, its expiry and its last use. */
export function TokenRow({ token, withOwner, now }: TokenRowProps) {
  const removal = useChange(() => deleteToken(token.id), [keys.tokens.all]);
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-border px-4 py-3 last:border-b-0">
      <div className="min-w-48 flex-1">
        <p className="font-medium [overflow-wrap:anywhere]">
          <bdi>{token.name}</bdi>
        </p>
        <p className="text-xs text-quiet">
          {scopeWords(token.scopes)} · {withOwner && <Creator token={token} />}
          created <span title={exact(token.created_at)}>{ago(token.created_at, now)}</span>
        </p>
      </div>
      <p className="tabular text-xs text-quiet sm:text-right">
        {token.last_used_at ? (
          <span title={exact(token.last_used_at)}>used {ago(token.last_used_at, now)}</span>
        ) : (
          "never used"
        )}
        <br />
        <Expiry at={token.expires_at ?? null} now={now} />
      </p>
      <ConfirmButton
        action="Revoke"
        title={`Revoke ${token.name}?`}
        text="Programs with this token lose access at once."
        pending={removal.isPending}
        error={removal.error}
        onConfirm={() => removal.mutate()}
      />
    </li>
  );
}

/** The owner of a token. A token without an account, such as that of the first start, shows its creator. */
function Creator({ token }: { token: ApiToken }) {
  return (
    <>
      {!token.owner && "by "}
      <bdi>{token.owner?.name ?? token.created_by}</bdi>,{" "}
    </>
  );
}

function Expiry({ at, now }: { at: string | null; now: number }) {
  if (!at) return "does not expire";
  const seconds = (Date.parse(at) - now) / 1_000;
  return <span title={exact(at)}>{seconds > 0 ? `expires in ${duration(seconds)}` : "expired"}</span>;
}
