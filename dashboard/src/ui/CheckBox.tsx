import type { ReactNode } from "react";

interface CheckBoxProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  /** The label. */
  children: ReactNode;
}

/** A check box and its label on one line. */
export function CheckBox({ checked, onChange, children }: CheckBoxProps) {
  return (
    <label className="flex items-center gap-2 text-sm [overflow-wrap:anywhere]">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="size-4 shrink-0 accent-(--color-focus)"
      />
      <span>{children}</span>
    </label>
  );
}
