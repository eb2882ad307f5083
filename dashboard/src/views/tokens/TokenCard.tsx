import { Plus } from "lucide-react";
import { useState } from "react";
import { useTokensQuery } from "@/api/tokens";
import { useNow } from "@/lib/useNow";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Drawer } from "@/ui/Drawer";
import { EmptyState, ErrorState, SkeletonRows } from "@/ui/states";
import { TokenForm } from "./TokenForm";
import { TokenRow } from "./TokenRow";

interface TokenCardProps {
  /** Lists only the tokens of this user. `null` lists all. */
  ownerId: number | null;
  /** The scopes that a new token may have. */
  grantable: readonly string[];
}

/** The access tokens, with actions to create and revoke tokens. */
export function TokenCard({ ownerId, grantable }: TokenCardProps) {
  const query = useTokensQuery();
  const tokens = query.data?.filter(({ owner }) => ownerId === null || owner?.id === ownerId);
  const [isAdding, setAdding] = useState(false);
  const now = useNow(10_000);
  const add = (
    <Button look="solid" onClick={() => setAdding(true)}>
      <Plus size={14} aria-hidden="true" />
      Create token
    </Button>
  );
  return (
    <>
      <Card title={ownerId === null ? "API tokens" : "Your API tokens"} action={add}>
        {query.error && !tokens ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : !tokens ? (
          <SkeletonRows rows={3} />
        ) : tokens.length === 0 ? (
          <EmptyState title="No API tokens">
            <p>
              Create one token for each program that reads or sends posts, so that you can revoke it
              separately.
            </p>
          </EmptyState>
        ) : (
          <ul className="-mx-4 -mb-4 border-t border-border text-sm">
            {tokens.map((token) => (
              <TokenRow key={token.id} token={token} withOwner={ownerId === null} now={now} />
            ))}
          </ul>
        )}
      </Card>
      <Drawer title="Create token" open={isAdding} onClose={() => setAdding(false)}>
        {isAdding && <TokenForm grantable={grantable} onDone={() => setAdding(false)} />}
      </Drawer>
    </>
  );
}
