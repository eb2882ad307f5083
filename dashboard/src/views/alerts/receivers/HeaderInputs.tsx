import { useState } from "react";
import { Field } from "@/ui/Field";
import { inputClass } from "@/ui/Input";

interface HeaderInputsProps {
  headers: Readonly<Record<string, string>>;
  onChange: (headers: Record<string, string>) => void;
  error: string | undefined;
}

/** The webhook headers with visible values, as text with one header per line. */
export function HeaderInputs({ headers, onChange, error }: HeaderInputsProps) {
  // The text is kept as it is typed. Converting the headers back to text would change incomplete lines.
  const [text, setText] = useState(() => textOf(headers));
  const type = (typed: string) => {
    setText(typed);
    onChange(headersOf(typed));
  };
  return (
    <Field label="Headers" hint="Optional. One per line, for example X-Team: social" error={error}>
      {(ids) => (
        <textarea
          {...ids}
          value={text}
          onChange={(event) => type(event.target.value)}
          className={`${inputClass} h-16 py-1.5 font-mono`}
        />
      )}
    </Field>
  );
}

function textOf(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

function headersOf(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [name = "", ...value] = line.split(":");
      return [name.trim(), value.join(":").trim()];
    }),
  );
}
