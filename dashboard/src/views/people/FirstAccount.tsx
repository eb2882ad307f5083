import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { createFirstAccount } from "@/api/accounts";
import { keys } from "@/api/keys";
import { writeToken } from "@/api/session";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Field, FormError, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { NewPassword } from "@/ui/NewPassword";
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
          No accounts exist. Create your own first, as an administrator. Then you can invite colleagues, each
          with a role.
        </p>
        <p className="text-quiet">
          From then on, everyone needs to sign in to this server, also on this computer.
        </p>
        <form onSubmit={save.submit} className="flex flex-col gap-4">
          <Field label="User name" error={fieldError(save.error, "name")}>
            {(ids) => (
              <input
                {...ids}
                name="username"
                autoComplete="username"
                autoCapitalize="none"
                spellCheck={false}
                required
                maxLength={100}
                value={name}
                onChange={(event) => setName(event.target.value)}
                className={inputClass}
              />
            )}
          </Field>
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
