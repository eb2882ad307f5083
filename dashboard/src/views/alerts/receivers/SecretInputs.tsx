import { Plus } from "lucide-react";
import { useState } from "react";
import type { Channel } from "@/api/types";
import { Button } from "@/ui/Button";
import { Field, fieldError } from "@/ui/Field";
import { inputClass } from "@/ui/Input";
import { type SecretChanges, type SecretField, secretsOf, takesHeaders } from "./channel";

interface SecretInputsProps {
  kind: Channel["kind"];
  changes: SecretChanges;
  onChange: (changes: SecretChanges) => void;
  /** The names of stored secrets of this kind. */
  kept: readonly string[];
  error: unknown;
}

/** The secrets of a channel. Stored values are not shown, and an empty field keeps them. */
export function SecretInputs({ kind, changes, onChange, kept, error }: SecretInputsProps) {
  const headers = takesHeaders(kind)
    ? [...new Set([...kept, ...Object.keys(changes)])].filter((name) => name.startsWith("header."))
    : [];
  const fields = [...secretsOf(kind), ...headers.map(headerField)];
  return (
    <>
      {fields.map((field) => (
        <Secret
          key={field.name}
          field={field}
          isKept={kept.includes(field.name)}
          value={changes[field.name]}
          onChange={(value) => onChange({ ...changes, [field.name]: value })}
          error={fieldError(error, `secrets.${field.name}`)}
        />
      ))}
      {takesHeaders(kind) && <AddHeader onAdd={(name) => onChange({ ...changes, [`header.${name}`]: "" })} />}
    </>
  );
}

function headerField(name: string): SecretField {
  return { name, label: `Header ${name.slice("header.".length)}`, hint: "A hidden value", required: true };
}

interface SecretProps {
  field: SecretField;
  isKept: boolean;
  value: string | null | undefined;
  onChange: (value: string | null) => void;
  error: string | undefined;
}

function Secret({ field: { label, hint, required }, isKept, value, onChange, error }: SecretProps) {
  const removed = value === null;
  return (
    <Field
      label={label}
      hint={
        removed
          ? "Removed on save."
          : isKept
            ? "A value is stored. Leave empty to keep it. Enter it again if you change the destination."
            : hint
      }
      error={error}
    >
      {(ids) => (
        <div className="flex gap-2">
          <input
            {...ids}
            type="password"
            autoComplete="off"
            disabled={removed}
            value={value ?? ""}
            onChange={(event) => onChange(event.target.value)}
            className={inputClass}
            required={required && !isKept}
          />
          {isKept && (
            <Button
              aria-label={removed ? `Keep ${label}` : `Remove ${label}`}
              onClick={() => onChange(removed ? "" : null)}
            >
              {removed ? "Keep" : "Remove"}
            </Button>
          )}
        </div>
      )}
    </Field>
  );
}

function AddHeader({ onAdd }: { onAdd: (name: string) => void }) {
  const [name, setName] = useState("");
  const add = () => {
    onAdd(name.trim());
    setName("");
  };
  return (
    <div className="flex gap-2">
      <input
        aria-label="Name of a header with a hidden value"
        placeholder="Authorization"
        value={name}
        maxLength={100}
        onChange={(event) => setName(event.target.value)}
        className={inputClass}
      />
      <Button onClick={add} disabled={name.trim() === ""}>
        <Plus size={14} aria-hidden="true" />
        Add secret header
      </Button>
    </div>
  );
}
