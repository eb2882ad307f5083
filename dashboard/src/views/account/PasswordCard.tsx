import { useState } from "react";
import { changePassword } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { SessionUser } from "@/api/types";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Field, FormError, fieldError } from "@/ui/Field";
import { NewPassword } from "@/ui/NewPassword";
import { PasswordInput } from "@/ui/PasswordInput";
import { useSave } from "@/ui/useSave";

/** Changes the password of the current user. All other sessions of this user end. */
export function PasswordCard({ user }: { user: SessionUser }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [isDone, setDone] = useState(false);
  const save = useSave({
    save: () => changePassword(current, next),
    invalidates: [keys.devices.all, keys.session],
    onDone: () => {
      setCurrent("");
      setNext("");
      setDone(true);
    },
  });
  return (
    <Card title="Change your password">
      <form onSubmit={save.submit} onChange={() => setDone(false)} className="flex flex-col gap-4">
        <input type="text" name="username" autoComplete="username" value={user.name} readOnly hidden />
        <Field label="Current password" error={fieldError(save.error, "current_password")}>
          {(ids) => (
            <PasswordInput
              {...ids}
              name="current_password"
              autoComplete="current-password"
              required
              value={current}
              onChange={(event) => setCurrent(event.target.value)}
            />
          )}
        </Field>
        <NewPassword
          label="New password"
          field="new_password"
          value={next}
          error={save.error}
          onChange={setNext}
        />
        <FormError error={save.error} fields={["current_password", "new_password"]} />
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" disabled={save.pending}>
            Change password
          </Button>
          <p role="status" className="text-sm text-quiet">
            {isDone && "Password changed. Your other devices were signed out."}
          </p>
        </div>
      </form>
    </Card>
  );
}
