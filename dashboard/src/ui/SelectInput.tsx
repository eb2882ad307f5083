import type { ComponentProps } from "react";
import { cx } from "./cx";
import { inputClass } from "./Input";

interface SelectInputProps<T extends string> extends Omit<ComponentProps<"select">, "onChange" | "value"> {
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

/** A native select element. */
export function SelectInput<T extends string>({
  value,
  options,
  onChange,
  className,
  ...props
}: SelectInputProps<T>) {
  return (
    <select
      value={value}
      onChange={(event) => {
        const chosen = options.find((option) => option.value === event.target.value);
        if (chosen) onChange(chosen.value);
      }}
      className={cx(inputClass, "pr-1", className)}
      {...props}
    >
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
