import { useState } from "react";
import { addUser, invite } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { Invitation, Role, User } from "@/api/types";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { LinkShown } from "./InviteLink";
import { RoleChoice } from "./RoleChoice";

/** Adds a person and shows the link with which they choose their password. */
export function InviteForm({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [added, setAdded] = useState<User | null>(null);
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const save = useSave({
    save: async () => {
      // A second attempt after a lost connection must not add the person twice.
      const user = added ?? (await addUser(name.trim(), role));
      setAdded(user);
      return invite(user.id);
    },
    invalidates: [keys.users.all],
    onDone: setInvitation,
  });
  if (invitation) return <LinkShown name={name.trim()} invitation={invitation} onDone={onDone} />;
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <Field
        label="User name"
        hint="Used to sign in and shown in the audit log"
        error={fieldError(save.error, "name")}
      >
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={100}
            required
            disabled={added !== null}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <RoleChoice value={role} error={fieldError(save.error, "role")} onChange={setRole} />
      <FormError error={save.error} fields={["name", "role"]} />
      <FormButtons submit="Create invitation" pending={save.pending} onCancel={onDone} />
    </form>
  );
}
