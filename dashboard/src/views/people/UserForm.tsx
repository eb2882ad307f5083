import { useState } from "react";
import { changeUser } from "@/api/accounts";
import { keys } from "@/api/keys";
import type { User } from "@/api/types";
import { CheckBox } from "@/ui/CheckBox";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { useSave } from "@/ui/useSave";
import { RoleChoice } from "./RoleChoice";

interface UserFormProps {
  user: User;
  /** Whether people edit their own account. */
  isOwn: boolean;
  onDone: () => void;
}

/** Changes the name and the role of a person, and disables the account. */
export function UserForm({ user, isOwn, onDone }: UserFormProps) {
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState(user.role);
  const [isDisabled, setDisabled] = useState(user.disabled);
  const save = useSave({
    save: () => changeUser(user, { name: name.trim(), role, disabled: isDisabled }),
    invalidates: [keys.users.all, keys.devices.all, keys.session],
    onDone,
  });
  const endsSessions = role !== user.role || (isDisabled && !user.disabled);
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4 text-sm">
      <Field label="User name" error={fieldError(save.error, "name")}>
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={100}
            required
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <RoleChoice value={role} disabled={isOwn} error={fieldError(save.error, "role")} onChange={setRole} />
      {isOwn ? (
        <p className="text-xs text-quiet">
          Only another administrator can change your role or disable your account.
        </p>
      ) : (
        <>
          {user.provider && (
            <p className="text-xs text-quiet">
              If {user.provider} assigns roles by group, the next sign-in replaces this role.
            </p>
          )}
          <CheckBox checked={isDisabled} onChange={setDisabled}>
            Disabled <span className="text-quiet">cannot sign in; tokens of this person are refused</span>
          </CheckBox>
        </>
      )}
      {endsSessions && <p className="text-xs text-quiet">Saving signs this person out everywhere.</p>}
      <FormError error={save.error} fields={["name", "role"]} />
      <FormButtons submit="Save" pending={save.pending} onCancel={onDone} />
    </form>
  );
}
