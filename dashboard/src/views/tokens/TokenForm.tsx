import { useState } from "react";
import { keys } from "@/api/keys";
import { createToken } from "@/api/tokens";
import type { CreatedToken } from "@/api/types";
import { CheckBox } from "@/ui/CheckBox";
import { Field, FormError, fieldError } from "@/ui/Field";
import { FormButtons } from "@/ui/FormButtons";
import { inputClass } from "@/ui/Input";
import { SelectInput } from "@/ui/SelectInput";
import { ShownOnce } from "@/ui/ShownOnce";
import { useSave } from "@/ui/useSave";
import { SCOPES } from "./scopes";

const LIFETIMES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "One year" },
  { value: "never", label: "Never" },
] as const;

type Lifetime = (typeof LIFETIMES)[number]["value"];

interface TokenFormProps {
  /** The scopes that the token may have. */
  grantable: readonly string[];
  onDone: () => void;
}

/** Creates a token and shows its text once. */
export function TokenForm({ grantable, onDone }: TokenFormProps) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>(["read"]);
  const [lifetime, setLifetime] = useState<Lifetime>("90");
  const [created, setCreated] = useState<CreatedToken | null>(null);
  const save = useSave({
    save: () =>
      createToken({
        name: name.trim(),
        scopes: [...scopes],
        ...(lifetime === "never" ? {} : { expires_in_days: Number(lifetime) }),
      }),
    invalidates: [keys.tokens.all],
    onDone: setCreated,
  });
  if (created) {
    return (
      <ShownOnce
        text={`Copy the token “${created.name}” into your program. It sends the token as “Authorization: Bearer …”.`}
        secret={created.token}
        onDone={onDone}
      />
    );
  }
  const choose = (scope: string, isChosen: boolean) =>
    setScopes(isChosen ? [...scopes, scope] : scopes.filter((other) => other !== scope));
  return (
    <form onSubmit={save.submit} className="flex flex-col gap-4">
      <Field
        label="Name"
        hint="The program that uses the token, for example grafana"
        error={fieldError(save.error, "name")}
      >
        {(ids) => (
          <input
            {...ids}
            value={name}
            maxLength={100}
            required
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
            className={inputClass}
          />
        )}
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 text-xs text-quiet">Permissions</legend>
        {SCOPES.filter(({ scope }) => grantable.includes(scope)).map(({ scope, name: label, about }) => (
          <CheckBox key={scope} checked={scopes.includes(scope)} onChange={(next) => choose(scope, next)}>
            {label} <span className="text-quiet">{about}</span>
          </CheckBox>
        ))}
        {fieldError(save.error, "scopes") && <p className="text-xs">▼ {fieldError(save.error, "scopes")}</p>}
      </fieldset>
      <Field label="Expires after" error={fieldError(save.error, "expires_in_days")}>
        {(ids) => <SelectInput {...ids} value={lifetime} options={LIFETIMES} onChange={setLifetime} />}
      </Field>
      <FormError error={save.error} fields={["name", "scopes", "expires_in_days"]} />
      <FormButtons
        submit="Create token"
        pending={save.pending}
        disabled={scopes.length === 0}
        onCancel={onDone}
      />
    </form>
  );
}
