import { Toggle } from "@base-ui/react/toggle";
import { ToggleGroup } from "@base-ui/react/toggle-group";
import { cx } from "./cx";

interface ChoiceProps<T extends string> {
  label: string;
  value: T | null;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

/** A segmented control: one of a few options. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  const choose = (values: readonly string[]) => {
    const chosen = options.find((option) => values.includes(option.value));
    if (chosen) onChange(chosen.value);
  };
  return (
    <ToggleGroup
      aria-label={label}
      value={value === null ? [] : [value]}
      onValueChange={choose}
      className="inline-flex h-8 max-w-full items-stretch overflow-x-auto pointer-coarse:h-auto pointer-coarse:flex-wrap rounded-md border border-border bg-card p-0.5"
    >
      {options.map((option) => (
        <Toggle
          key={option.value}
          value={option.value}
          className={cx(
            "shrink-0 rounded-[4px] px-2.5 text-sm pointer-coarse:min-h-11 pointer-coarse:min-w-11 whitespace-nowrap text-quiet transition-colors duration-150",
            "hover:text-text data-[pressed]:bg-raised data-[pressed]:font-medium data-[pressed]:text-text",
          )}
        >
          {option.label}
        </Toggle>
      ))}
    </ToggleGroup>
  );
}
