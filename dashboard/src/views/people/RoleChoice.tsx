import { useId } from "react";
import type { Role } from "@/api/types";
import { ROLES } from "@/lib/roles";

interface RoleChoiceProps {
  value: Role;
  disabled?: boolean;
  error?: string | undefined;
  onChange: (role: Role) => void;
}

/** Chooses a role. Each option describes what the role allows. */
export function RoleChoice({ value, disabled = false, error, onChange }: RoleChoiceProps) {
  const name = useId();
  return (
    <fieldset className="flex flex-col gap-1" disabled={disabled}>
      <legend className="mb-1 text-xs text-quiet">Role</legend>
      {ROLES.map((option) => (
        <label
          key={option.role}
          className="flex items-start gap-2 rounded-md py-1 text-sm pointer-coarse:min-h-11"
        >
          <input
            type="radio"
            name={name}
            checked={value === option.role}
            onChange={() => onChange(option.role)}
            className="mt-0.5 size-4 shrink-0 accent-(--color-focus)"
          />
          <span>
            {option.name}
            <span className="block text-xs text-quiet">{option.about}</span>
          </span>
        </label>
      ))}
      {error && <p className="text-xs">▼ {error}</p>}
    </fieldset>
  );
}
