import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createFirstAccount } from "@/api/accounts";
import { keys } from "@/api/keys";
import { writeToken } from "@/api/session";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { FormError } from "@/ui/Field";
import { NewPassword } from "@/ui/NewPassword";
import { MAX_USER_NAME, UserName } from "@/ui/UserName";
import { useSave } from "@/ui/useSave";

/** Creates the first account of a server that has none. */
export function FirstAccount() {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const save = useSave({
    save: () => createFirstAccount({ name: name.trim(), password }),
    invalidates: [keys.users.all, keys.devices.all, keys.tokens.all],
    onDone: (session) => {
      // The account replaces a token of this tab.
      writeToken(null);
      queries.setQueryData(keys.session, session);
    },
  });
  return (
    <Card title="People">
      <div className="flex max-w-md flex-col gap-4 text-sm">
        <p>
          This server has no accounts. Create your own account first. You become an administrator and can
          invite colleagues.
        </p>
        <p className="text-quiet">After that, everyone must sign in, even on this computer.</p>
        <form onSubmit={save.submit} className="flex flex-col gap-4">
          <UserName value={name} maxLength={MAX_USER_NAME} error={save.error} onChange={setName} />
          <NewPassword
            label="Password"
            field="password"
            value={password}
            error={save.error}
            onChange={setPassword}
          />
          <FormError error={save.error} fields={["name", "password"]} />
          <Button type="submit" look="solid" className="self-start" disabled={save.pending}>
            Create account
          </Button>
        </form>
      </div>
    </Card>
  );
}
